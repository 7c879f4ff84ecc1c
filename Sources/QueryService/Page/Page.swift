import HTTPTypes
import Hummingbird
import NIOCore

/// The page for people at `/`: one document with its style and script in it, and a policy that lets nothing else run.
struct Page: Sendable {
    /// The document where it is cut for the nonce of a response.
    private let pieces: [Substring]

    private static let mark = "{{nonce}}"

    init() {
        let document = String(decoding: PackageResources.page_html, as: UTF8.self)
            .replacing(
                "{{style}}",
                with: String(decoding: PackageResources.page_css, as: UTF8.self),
                maxReplacements: 1
            )
            .replacing(
                "{{script}}",
                with: String(decoding: PackageResources.page_js, as: UTF8.self),
                maxReplacements: 1
            )
        pieces = document.split(separator: Page.mark, omittingEmptySubsequences: false)
    }

    /// The style and the script are known by a nonce that nobody can guess; it is another one each time.
    func response() -> Response {
        let nonce = Page.nonce()
        var response = Response(
            status: .ok,
            contentType: "text/html; charset=utf-8",
            body: ByteBuffer(string: pieces.joined(separator: nonce))
        )
        response.headers[.contentSecurityPolicy] = [
            "default-src 'none'", "script-src 'nonce-\(nonce)'", "style-src 'nonce-\(nonce)'",
            // The icon is in the document, too.
            "img-src data:", "connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
        ].joined(separator: "; ")
        return response
    }

    /// 128 bits of the system's randomness, in hex digits.
    private static func nonce() -> String {
        var generator = SystemRandomNumberGenerator()
        return (0..<2).map { _ in
            let digits = String(generator.next(), radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }
}
