import PayloadModel
import Testing

/// Section 6: what a list may be asked for. A filter that is read wrongly shows other payloads than were asked for, or none.
@Suite struct PayloadFilterTests {
    @Test("Values are normalised as those of status messages are")
    func normalising() throws {
        let filter = try PayloadFilter([
            "inventory_id": " I-1 ", "system_id": "S", "account": "0540155", "org_id": "1.50", "status": " Failure",
            "outcome": "STALLED", "service": " PupToo ", "failed_service": "\u{C9}",
        ])
        #expect(filter.inventoryID == "I-1" && filter.systemID == "S")
        #expect(filter.account == "0540155" && filter.orgID == "1.50")
        #expect(filter.status == .failure && filter.outcome == .stalled)
        #expect(filter.service == "puptoo" && filter.failedService == "\u{E9}")
        #expect(try PayloadFilter([:]) == PayloadFilter())
        #expect(try PayloadFilter(["limit": "nonsense"]) == PayloadFilter())
    }

    @Test(
        "Dates are those of status messages, with numbers as their digits",
        arguments: [
            ("2024-01-02T03:04:05.678Z", 1_704_164_645_678_000), ("2024-01-02 03:04:05", 1_704_164_645_000_000),
            ("2024-01-02T05:04:05+02:00", 1_704_164_645_000_000), ("1704164645", 1_704_164_645_000_000),
            ("1704164645.678", 1_704_164_645_678_000), ("1704164645678", 1_704_164_645_678_000), ("-1", -1_000_000),
            ("0", 0),
        ]
    )
    func dates(text: String, microseconds: Int64) throws {
        #expect(try PayloadFilter(["since": text]).since == Timestamp(microseconds: microseconds))
        #expect(try PayloadFilter(["until": text]).until == Timestamp(microseconds: microseconds))
    }

    @Test(
        "A value that no payload can have is refused by name",
        arguments: [
            ("inventory_id", ""), ("inventory_id", "None"), ("system_id", " null "), ("account", "  "),
            ("org_id", String(repeating: "x", count: 257)), ("status", "failed"), ("status", ""), ("outcome", "done"),
            ("outcome", "success"), ("service", " "), ("failed_service", String(repeating: "x", count: 129)),
            ("since", ""), ("since", "yesterday"), ("since", "2024-01-02"), ("since", "1e9"), ("since", "."),
            ("since", "1."), ("until", "1704164645s"), ("until", "2024-13-02T03:04:05Z"), ("until", "--1"),
            ("until", " 1"), ("until", "99999999999999999999"),
        ]
    )
    func refused(name: String, value: String) {
        #expect {
            try PayloadFilter([name: value])
        } throws: { error in
            (error as? PayloadFilter.Refusal)?.description.hasPrefix(name) ?? false
        }
    }

    @Test("since may be until, and not after it")
    func order() throws {
        _ = try PayloadFilter(["since": "10", "until": "10"])
        #expect {
            try PayloadFilter(["since": "11", "until": "10"])
        } throws: { error in
            "\(error)".contains("since") && "\(error)".contains("until")
        }
    }

    @Test("Lists are newest first, and of equal dates by the bytes of the id")
    func positions() throws {
        func position(_ microseconds: Int64, _ id: String) throws -> ListPosition {
            ListPosition(updatedAt: Timestamp(microseconds: microseconds), id: try PayloadID(normalizing: id))
        }
        let sorted = [
            try position(2, "b"), try position(1, "a"), try position(1, "ab"), try position(1, "b"),
            try position(1, "\u{E9}"), try position(-1, "a"),
        ]
        #expect(sorted.shuffled().sorted() == sorted)
    }
}
