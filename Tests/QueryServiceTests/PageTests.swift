import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Testing

@Suite("The page at /")
struct PageTests {
    @Test("is there whatever a link adds to its address: people follow links", arguments: ["/?id=%", "/?utm=1&utm=2"])
    func query(_ target: String) async throws {
        #expect(try await Endpoint().ask(target).status == .ok)
    }

    @Test("is one whole document that needs nothing from elsewhere")
    func document() async throws {
        let response = try await Endpoint().ask("/?id=3f6c")
        #expect(response.status == .ok)
        #expect(response.headers[.contentType] == "text/html; charset=utf-8")
        let text = response.text
        #expect(text.hasPrefix("<!doctype html>") && text.contains("Payload Tracker") && text.hasSuffix("</html>\n"))
        #expect(!text.contains("{{"))
        // The namespace of SVG is a name, not an address.
        #expect(!text.replacing("http://www.w3.org/2000/svg", with: "").contains(#/https?:\/\//#))
        #expect(text.matches(of: #/<script/#).count == 1 && text.matches(of: #/<style/#).count == 1)
        // The policy forbids these; a browser would drop them silently.
        #expect(!text.contains(#/<[a-z][^>]* (on[a-z]+|style)=/#))
        #expect(!text.contains("innerHTML"))
    }

    @Test("lets nothing run but its own script, which is known by a nonce that is new each time")
    func policy() async throws {
        var nonces: Set<Substring> = []
        for _ in 0..<20 {
            let response = try await Endpoint().ask("/")
            let policy = try #require(response.headers[.contentSecurityPolicy])
            let nonce = try #require(policy.firstMatch(of: #/script-src 'nonce-([0-9a-f]{32})'/#)).1
            #expect(
                policy == """
                    default-src 'none'; script-src 'nonce-\(nonce)'; style-src 'nonce-\(nonce)'; img-src data:; \
                    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'
                    """
            )
            #expect(response.text.matches(of: #/nonce="([0-9a-f]+)"/#).map(\.1) == [nonce, nonce])
            #expect(response.headers[.xContentTypeOptions] == "nosniff")
            #expect(response.headers[.cacheControl] == "no-store")
            nonces.insert(nonce)
        }
        #expect(nonces.count == 20)
    }
}
