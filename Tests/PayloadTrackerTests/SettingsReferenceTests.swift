import Foundation
import Testing

@testable import PayloadTracker

@Suite struct SettingsReferenceTests {
    @Test("docs/configuration.md says what the program does")
    func upToDate() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let page = try String(contentsOf: root.appending(path: "docs/configuration.md"), encoding: .utf8)
        #expect(
            page == SettingsReference.markdown,
            "run `payload-tracker settings-reference > docs/configuration.md` and commit the page"
        )
    }
}
