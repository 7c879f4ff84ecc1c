import Testing

@testable import PayloadTracker

/// What everyone who writes a duration or a size relies on: it is understood, or refused, never guessed.
@Suite struct QuantityTests {
    @Test(
        "a duration is read as it is written, and written as it is read",
        arguments: [
            ("0", Duration.zero), ("1ms", .milliseconds(1)), ("500ms", .milliseconds(500)), ("61s", .seconds(61)),
            ("5m", .seconds(300)), ("1h", .seconds(3600)), ("7d", .seconds(604_800)),
        ]
    )
    func durations(text: String, duration: Duration) {
        #expect(DurationText.parse(text) == duration)
        #expect(DurationText.text(duration) == text)
    }

    @Test(
        "a duration without a unit, or with another, is refused",
        arguments: ["", "60", "s", "1.5s", "1 s", "-1s", "1S", "1w", "+1s", "٣s"]
    )
    func notDurations(text: String) {
        #expect(DurationText.parse(text) == nil)
    }

    @Test(
        "a size is read as it is written, and written as it is read",
        arguments: [("0", 0), ("4097", 4097), ("512KiB", 524_288), ("64MiB", 67_108_864), ("2GiB", 2_147_483_648)]
    )
    func sizes(text: String, bytes: Int) {
        #expect(ByteCount.parse(text) == bytes)
        #expect(ByteCount.text(bytes) == text)
    }

    @Test(
        "a size in another unit is refused",
        arguments: ["", "1kb", "1K", "1.5MiB", "1 MiB", "-1", "9999999999999GiB", "KiB"]
    )
    func notSizes(text: String) {
        #expect(ByteCount.parse(text) == nil)
    }
}
