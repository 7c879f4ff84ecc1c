import Foundation
import NIOCore
import PayloadModel
import Testing
import SeededRandom

@testable import QueryService

/// Whatever bytes a client sends, however it cuts them up and whenever it goes: the process lives, what is answered is HTTP, errors are problems,
/// nothing is a 500, and no connection stays behind. A case comes back from its seed; `HTTP_FUZZ_ROUNDS` makes it more of them.
@Suite("Random requests", .timeLimit(.minutes(10)), .serialized)
struct HTTPFuzzTests {
    private static let rounds = ProcessInfo.processInfo.environment["HTTP_FUZZ_ROUNDS"].flatMap { UInt64($0) } ?? 1
    private static let seeds = Array(UInt64(0)..<(16 * rounds))
    private static let connections = 200
    private static let token = "reading-token-0000"

    @Test("are answered with HTTP or not at all", arguments: seeds)
    func requests(seed: UInt64) async throws {
        try await Self.endpoint(isClosed: seed % 2 == 1).serve { port in
            try await Self.expectHealth(port, seed)
            let before = try Self.openFiles()
            var random = SplitMix64(seed: seed)
            for number in 0..<Self.connections {
                let request = RandomRequests(using: &random, token: Self.token)
                let sent = String(decoding: request.bytes, as: UTF8.self).debugDescription
                do {
                    let answer = try await Self.exchange(port, request, using: &random)
                    for problem in HTTPAnswers(answer).problems {
                        Issue.record("seed \(seed), connection \(number): \(problem) to \(sent)")
                    }
                } catch {
                    Issue.record("seed \(seed), connection \(number): \(error) after \(sent)")
                }
            }
            try await Self.expectHealth(port, seed)
            // What leaks would be there for ever.
            try await until { try Self.openFiles() <= before }
        }
    }

    /// It answers everybody else as ever.
    private static func expectHealth(_ port: Int, _ seed: UInt64) async throws {
        let text = try await RawConnection.open(port) { connection in
            try await connection.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            return try await connection.answer(endingWith: #"{"status":"ok"}"#)
        }
        #expect(text.hasPrefix("HTTP/1.1 200"), "seed \(seed)")
    }

    private static func endpoint(isClosed: Bool) throws -> Endpoint {
        let reader = StubReader { (id, call) throws(ReadFailure) in
            switch call % 5 {
            case 0: nil
            case 1: .failedUpload(id, outcome: .open)
            case 2: throw .elsewhere(partition: 3)
            default: .failedUpload(id)
            }
        }
        return Endpoint(
            reader: reader,
            outcomes: StubOutcomes([[.failed(0, 5), .failed(0, 6)]]),
            tokens: isClosed ? try AccessTokens("\(token) read,metrics") : nil,
            signed: isClosed ? JSONWebTokens(.init(issuer: "a", audience: "b")) : nil,
            rateLimit: isClosed ? 1_000 : 0,
            requestTimeout: .milliseconds(500)
        )
    }

    /// Sends the request in pieces, and gives what comes back; nothing of it where the client does not stay for all.
    private static func exchange(
        _ port: Int,
        _ request: RandomRequests,
        using random: inout SplitMix64
    ) async throws -> [UInt8] {
        var cuts = (0..<random.below(4)).map { _ in random.below(request.bytes.count + 1) }
        cuts = [0] + cuts.sorted() + [request.bytes.count]
        let leaves = random.oneIn(8)
        let pauses = random.oneIn(4)
        return try await RawConnection.open(port) { connection in
            async let rest = connection.rest()
            do {
                for (start, end) in zip(cuts, cuts.dropFirst()) where start < end {
                    try await connection.send(request.bytes[start..<end])
                    // So that the server reads the pieces one by one.
                    if pauses { try await Task.sleep(for: .milliseconds(1)) }
                }
                if leaves { try await connection.channel.close() } else { try await connection.finish() }
            } catch is ChannelError {
                // The server has had enough.
            } catch is IOError {}
            let answer = try await rest
            return leaves ? [] : answer
        }
    }

    private static func openFiles() throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
    }
}

/// Bytes that are requests, or nearly.
private struct RandomRequests {
    private(set) var bytes: [UInt8] = []

    private static let methods = [
        "GET", "GET", "GET", "GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "TRACE", "CONNECT", "PRI", "get", "G",
        "MADE-UP", "", "GET\t", String(repeating: "G", count: 300),
    ]
    private static let paths = [
        "/", "/healthz", "/readyz", "/metrics", "/v1/payloads", "/v1/payloads/abc", "/v1/payloads/abc/statuses",
        "/v1/outcomes/stream", "/v1/summary", "/v1/partitions", "/api/v1/payloads", "/api/v1/payloads/abc",
        "/api/v1/statuses", "*", "", "http://a/healthz", "//", "/v1/payloads/%00", "/v1/payloads/%2F%2e%2E",
        "/v1/payloads/\u{E9}", "/nothing", "a:1", "/v1/payloads/0123456789abcdef0123456789abcdef",
    ]
    private static let names = [
        "wait", "limit", "cursor", "local", "stale", "partial", "org_id", "account", "status", "outcome", "since",
        "until", "service", "inventory_id", "page", "page_size", "sort_by", "sort_dir", "verbosity", "id", "x", "",
    ]
    private static let values = [
        "", "0", "1", "-1", "500", "99999999999999999999", "true", "allowed", "10ms", "1h", "failed", "failure", "abc",
        "2024-01-02T03:04:05Z", "2024-01-02+03:04", "created_at", "asc", "AQAAAAAAAAAAYWJj", "%", "%zz", "%00", "%ff",
        "%C3%A9", "+", "&", "=", "#", "'\"<>", "1e9", "NaN",
    ]
    private static let headers = [
        "Host: a", "Host: a", "Host:", "Host: a\r\nHost: b", "Connection: close", "Connection: keep-alive",
        "Connection: upgrade\r\nUpgrade: h2c", "Content-Length: 0", "Content-Length: 5", "Content-Length: -1",
        "Content-Length: 5, 5", "Content-Length: 5\r\nContent-Length: 6", "Content-Length: 99999999999999999999",
        "Transfer-Encoding: chunked", "Transfer-Encoding: gzip", "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: chunked\r\nContent-Length: 5", "Expect: 100-continue", "Accept: text/html",
        "Accept-Encoding: gzip", "Range: bytes=0-1", "If-None-Match: *", "Last-Event-ID: 5,0", "Last-Event-ID: x",
        "Payload-Tracker-Instance: one", "Payload-Tracker-Peer-Secret: 0123456789abcdef", "Authorization: Bearer",
        "Authorization: Basic YTpi", "Authorization: Bearer a.b.c", "Authorization: Bearer eyJhbGciOiJub25lIn0.e30.",
        "X: \u{E9}", "X : y", " X: y", "X", ": y", "X: y\r\n folded", "X: \u{0}", "X\u{7F}: y",
    ]
    private static let chunks = [
        "5\r\nhello\r\n", "0\r\n\r\n", "fffffffffffffffff\r\n", "-1\r\n", "5;a=b\r\nhello\r\n", "z",
    ]
    private static let fragments = [
        "\r", "\n", "\r\n", "\r\n\r\n", " ", "\0", "\u{FF}", "HTTP/", "/1.1", "GET ", ":", "%", "?", "#", "\t",
        "\u{16}\u{3}\u{1}",
    ]

    init(using random: inout SplitMix64, token: String) {
        for _ in 0..<(1 + random.below(4)) { append(using: &random, token) }
        if random.oneIn(3) {
            for _ in 0..<(1 + random.below(3)) { damage(using: &random) }
        }
        if random.oneIn(20) {
            bytes = (0..<random.below(300)).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        }
    }

    private mutating func append(using random: inout SplitMix64, _ token: String) {
        var target = random.pick(Self.paths)
        let parameters = (0..<random.below(4)).map { _ in "\(random.pick(Self.names))=\(random.pick(Self.values))" }
        if !parameters.isEmpty { target += "?" + parameters.joined(separator: "&") }
        if random.oneIn(30) { target += String(repeating: "a", count: random.below(40_000)) }
        let version =
            random.oneIn(6) ? random.pick(["HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "HTTP/0.9", "HTTP", ""]) : "HTTP/1.1"
        let end = random.oneIn(15) ? "\n" : "\r\n"
        var text = "\(random.oneIn(3) ? random.pick(Self.methods) : "GET") \(target) \(version)\(end)"
        if !random.oneIn(6) { text += "Host: a\(end)" }
        if random.oneIn(2) { text += "Authorization: Bearer \(token)\(end)" }
        for _ in 0..<random.below(4) { text += random.pick(Self.headers) + end }
        if random.oneIn(30) {
            for number in 0..<random.below(200) { text += "X-\(number): y\(end)" }
        }
        if random.oneIn(40) { text += "X: \(String(repeating: "y", count: random.below(40_000)))\(end)" }
        if !random.oneIn(20) { text += end }
        if random.oneIn(3) {
            for _ in 0..<random.below(4) { text += random.pick(Self.chunks) }
        }
        bytes += Array(text.utf8)
    }

    private mutating func damage(using random: inout SplitMix64) {
        let place = random.below(bytes.count + 1)
        switch random.below(5) {
        case 0: bytes.insert(contentsOf: Array(random.pick(Self.fragments).utf8), at: place)
        case 1: bytes.removeSubrange(place..<min(place + 1 + random.below(8), bytes.count))
        case 2 where place < bytes.count: bytes[place] ^= 1 << random.below(8)
        case 3: bytes.removeSubrange(place...)
        default:
            let other = random.below(bytes.count + 1)
            bytes.insert(contentsOf: Array(bytes[min(place, other)..<max(place, other)]), at: place)
        }
    }
}

/// What a server sent on one connection, read as strictly as RFC 9112 has it.
private struct HTTPAnswers {
    private(set) var problems: [String] = []

    init(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            do {
                try take(&rest)
            } catch {
                problems.append("\(error) in \(String(decoding: rest.prefix(400), as: UTF8.self).debugDescription)")
                return
            }
        }
    }

    private struct Malformed: Error, CustomStringConvertible {
        let description: String
    }

    private func line(_ rest: inout ArraySlice<UInt8>) throws -> String {
        guard let end = rest.indices.dropLast().first(where: { rest[$0] == 13 && rest[$0 + 1] == 10 }) else {
            throw Malformed(description: "a line does not end")
        }
        defer { rest = rest[(end + 2)...] }
        guard rest[..<end].allSatisfy({ $0 >= 32 && $0 < 127 || $0 == 9 }) else {
            throw Malformed(description: "a control character")
        }
        return String(decoding: rest[..<end], as: UTF8.self)
    }

    private mutating func take(_ rest: inout ArraySlice<UInt8>) throws {
        let statusLine = try line(&rest)
        guard let match = statusLine.wholeMatch(of: /HTTP\/1\.1 (\d{3}) ([ -~]*)/), let status = Int(match.1) else {
            throw Malformed(description: "no status line: \(statusLine)")
        }
        var fields: [String: String] = [:]
        while true {
            let field = try line(&rest)
            if field.isEmpty { break }
            guard let match = field.wholeMatch(of: /([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*/) else {
                throw Malformed(description: "no header: \(field)")
            }
            let name = match.1.lowercased()
            guard fields.updateValue(String(match.2), forKey: name) == nil else {
                throw Malformed(description: "two headers \(name)")
            }
        }
        judge(status, fields, try body(status, fields, &rest))
    }

    /// Nil: there is none.
    private func body(_ status: Int, _ fields: [String: String], _ rest: inout ArraySlice<UInt8>) throws -> [UInt8]? {
        if status == 204 || status == 304 || status < 200 {
            guard fields["content-length"] == nil, fields["transfer-encoding"] == nil else {
                throw Malformed(description: "a \(status) with a body's headers")
            }
            return nil
        }
        // The answer to a HEAD; no body begins like this.
        if rest.isEmpty || rest.starts(with: Array("HTTP/1.1 ".utf8)) { return nil }
        if fields["transfer-encoding"] == "chunked" {
            guard fields["content-length"] == nil else { throw Malformed(description: "two lengths") }
            var whole: [UInt8] = []
            while true {
                guard let size = Int(try line(&rest), radix: 16), size >= 0, rest.count >= size + 2 else {
                    throw Malformed(description: "no chunk")
                }
                whole += rest.prefix(size)
                rest = rest.dropFirst(size)
                guard try line(&rest).isEmpty else { throw Malformed(description: "a chunk is too long") }
                if size == 0 { return whole }
            }
        }
        guard let length = fields["content-length"].flatMap({ Int($0) }), rest.count >= length else {
            throw Malformed(description: "a body of another length than \(fields["content-length"] ?? "none")")
        }
        defer { rest = rest.dropFirst(length) }
        return Array(rest.prefix(length))
    }

    private mutating func judge(_ status: Int, _ fields: [String: String], _ body: [UInt8]?) {
        let allowed = [200, 204, 400, 401, 403, 404, 405, 421, 429, 503]
        if !allowed.contains(status) { problems.append("a \(status)") }
        // Hummingbird's own, to what is no request.
        if status == 400, fields["content-length"] == "0", fields["connection"] == "close" { return }
        if fields["x-content-type-options"] != "nosniff" || fields["cache-control"] != "no-store" {
            problems.append("headers are missing: \(fields)")
        }
        guard status >= 400, let body else { return }
        let object = try? JSONSerialization.jsonObject(with: Data(body)) as? [String: Any]
        let isProblem =
            fields["content-type"] == "application/problem+json"
            && object?["status"] as? Int == status && object?["detail"] is String
        // As payload-tracker-go tells one.
        let isCompatible = object?["status"] as? Int == status && object?["message"] is String
        if !isProblem && !isCompatible {
            problems.append("a \(status) that is no problem: \(String(decoding: body, as: UTF8.self))")
        }
    }
}
