import CRdKafka

/// The headers of a record to produce, in the library's own form: a received record's are copied without being parsed.
public struct RecordHeaders: ~Copyable {
    private(set) var pointer: OpaquePointer?

    public static var none: RecordHeaders { RecordHeaders() }

    /// No headers.
    public init() {
        pointer = nil
    }

    public init(_ headers: [Header]) {
        self.init()
        append(contentsOf: headers)
    }

    /// `record`'s headers as they are, and `headers` after them.
    public init(copying record: borrowing ConsumedRecord, adding headers: [Header] = []) {
        pointer = record.headerList.map { rd_kafka_headers_copy($0) }
        append(contentsOf: headers)
    }

    /// The same headers once more: producing takes them.
    public borrowing func copy() -> RecordHeaders {
        var copy = RecordHeaders()
        copy.pointer = pointer.map { rd_kafka_headers_copy($0) }
        return copy
    }

    deinit {
        if let pointer { rd_kafka_headers_destroy(pointer) }
    }

    public mutating func append(_ header: Header) {
        append(contentsOf: [header])
    }

    private mutating func append(contentsOf headers: [Header]) {
        guard !headers.isEmpty else { return }
        let list: OpaquePointer = pointer ?? rd_kafka_headers_new(headers.count)
        pointer = list
        for header in headers {
            // Cannot fail: only a read-only list refuses, which neither a new one nor a copy is.
            if let value = header.value {
                // An address even for an empty value, or the library would take it for null.
                let bytes = value.isEmpty ? [0] : value
                rd_kafka_header_add(list, header.name, header.name.utf8.count, bytes, value.count)
            } else {
                rd_kafka_header_add(list, header.name, header.name.utf8.count, nil, 0)
            }
        }
    }

    /// Gives the list up to whoever takes it; nil is none.
    consuming func relinquish() -> OpaquePointer? {
        let list = pointer
        discard self
        return list
    }
}
