import PayloadModel

/// The messages of a RHEL upload whose last stage fails, so that the outcome is told twice: about 300 bytes each, and not all in the
/// order of their dates.
enum Lifecycle {
    /// Microseconds since 1970.
    static let start: Int64 = 1_700_000_000_000_000

    private struct Report {
        let milliseconds: Int64
        let service: String
        let status: String
        /// As JSON writes it.
        let message: String?
        /// Further members of the object, each with a comma before it.
        let more: String

        init(_ milliseconds: Int64, _ service: String, _ status: String, _ message: String? = nil, _ more: String = "")
        {
            self.milliseconds = milliseconds
            self.service = service
            self.status = status
            self.message = message
            self.more = more
        }
    }

    private static let upload = #", "account": "540155", "org_id": "1979710""#
    private static let host =
        #", "inventory_id": "c0ffee00-0000-4000-8000-000000000001", "system_id": "c0ffee00-0000-4000-8000-000000000002""#
    private static let client = #", "source": "insights-client""#

    private static let reports = [
        Report(0, "ingress", "received", "Payload received by ingress", upload),
        Report(180, "ingress", "success", "Sent to validation service: advisor"),
        Report(240, "puptoo", "received", "Received message"),
        Report(2_900, "puptoo", "success", "Message sent to inventory"),
        Report(3_050, "inventory-mq-service", "received", "message received"),
        Report(3_120, "inventory-mq-service", "success", "message received"),
        Report(3_200, "inventory-mq-service", "processing_success", "host operation complete", host),
        Report(3_180, "inventory-mq-service", "processing", "host operation complete", host),
        Report(3_400, "patchman", "received", "Received by listener"),
        Report(3_420, "vulnerability", "received", #"sending to \"grouper\""#),
        Report(3_900, "patchman", "processing", "processing"),
        Report(4_600, "patchman", "success", "advisories evaluation"),
        Report(6_100, "insights-advisor-service", "received", "Processing engine results", client),
        Report(6_150, "vulnerability", "error", "evaluator: no space left on device"),
        Report(6_160, "vulnerability", "processing", "evaluating again"),
        Report(6_700, "insights-advisor-service", "success", nil, client),
        Report(7_900, "vulnerability", "failed", "evaluation failed, giving up"),
    ]

    /// As they come out of a topic.
    static let values = reports.map { report in
        let date = Timestamp(microseconds: start + report.milliseconds * 1_000)
        let id = "5f1c9a2e7b3d48c6a0e4d2f19b8c7a65"
        let text = report.message.map { #", "status_msg": "\#($0)""# } ?? ""
        let value =
            #"{"request_id": "\#(id)", "payload_id": "\#(id)", "service": "\#(report.service)", "status": "\#(report.status)""#
            + #"\#(text), "date": "\#(date)"\#(report.more)"#
        return Array(
            "\(value), \"cluster\": \"\(String(repeating: "x", count: max(286 - value.utf8.count, 0)))\"}".utf8
        )
    }
}
