import Testing

@testable import PayloadTracker

/// What someone who writes a settings file relies on: it means what it says, and mistakes come with their line.
@Suite struct SettingsFileTests {
    @Test("nested maps, dotted keys and JSON mean the same")
    func flattening() throws {
        let nested = try values("topics:\n  dead-letter: d\n  input: i\nhttp.port: 1")
        #expect(nested == ["topics.dead-letter": "d", "topics.input": "i", "http.port": "1"])
        #expect(try values("{\"topics\": {\"dead-letter\": \"d\", \"input\": \"i\"},\n\t\"http.port\": 1}") == nested)
    }

    @Test("values are the characters that were written, not what YAML makes of them")
    func literalValues() throws {
        let text = "a: 0010\nb: yes\nc: 1e3\nd: 2024-01-02\ne: \"~\"\nf: 12:30\nhttp.port: ~\nhttp.host:\ni: ''"
        #expect(
            try values(text) == [
                "a": "0010", "b": "yes", "c": "1e3", "d": "2024-01-02", "e": "~", "f": "12:30", "i": "",
            ]
        )
    }

    @Test("an empty file gives nothing", arguments: ["", "# only a comment", "~", "{}"])
    func empty(text: String) throws {
        #expect(try values(text).isEmpty)
    }

    @Test(
        "a broken file stops the start with one line that says where it is broken",
        arguments: ["a: [1", "a: 1\na: 2", "- a", "just words", "a: {b: 1}\na.b: 2", "a: [[1]]", "a: 1\n---\nb: 2"]
    )
    func broken(text: String) throws {
        let error = try #require(throws: SettingsError.self) { try values(text) }
        #expect(error.exitCode == 2)
        #expect(error.description.contains("tracker.yaml"))
        #expect(!error.description.contains("\n"))
    }

    @Test("a file that is not there stops the start with its name")
    func missing() throws {
        let error = try #require(throws: SettingsError.self) { try settings(["--config", "/nowhere/tracker.yaml"]) }
        #expect(error.description.contains("/nowhere/tracker.yaml"))
        #expect(error.exitCode == 2)
    }

    /// The file's settings, but for those that are null; unknown keys are judged later.
    private func values(_ text: String) throws -> [String: String] {
        let given = try SettingsFile.settings(in: text, path: "tracker.yaml")
        return Dictionary(given.map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first })
    }
}
