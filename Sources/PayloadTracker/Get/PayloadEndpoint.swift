import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1

/// The HTTP endpoint of an instance, asked for a payload.
struct PayloadEndpoint {
    private let root: URL

    /// The greatest wait that the endpoint takes, plus its own time to answer.
    private static let longestWait = Duration.seconds(60)
    private static let patience = Duration.seconds(10)
    private static let maxDocumentBytes = 64 << 20

    init(_ text: String) throws(CommandFailure) {
        guard let url = URL(string: text), ["http", "https"].contains(url.scheme?.lowercased()),
            url.host()?.isEmpty == false, url.query() == nil, url.fragment() == nil
        else {
            throw CommandFailure("--url \(SingleLine.shorten(text)) is not an http or https URL", exitCode: 2)
        }
        root = url
    }

    /// The payload's document, as JSON. Throws with exit code 4 when it is unknown.
    func payload(_ id: String, wait: Duration?) async throws(CommandFailure) -> Data {
        let patience = min(wait ?? .zero, Self.longestWait) + Self.patience
        let status: UInt
        let body: Data
        do {
            let response = try await HTTPClient.shared.execute(
                HTTPClientRequest(url: address(of: id, wait: wait)),
                timeout: .nanoseconds(patience.microseconds * 1000)
            )
            status = response.status.code
            body = Data(try await response.body.collect(upTo: Self.maxDocumentBytes).readableBytesView)
        } catch {
            throw CommandFailure("no answer from \(root.absoluteString): \(error)")
        }
        return try document(id, status: status, body: body)
    }

    func address(of id: String, wait: Duration?) -> String {
        let base = root.absoluteString.hasSuffix("/") ? String(root.absoluteString.dropLast()) : root.absoluteString
        // As RFC 3986 has it, so that a slash or a question mark in an id stays part of it.
        let path = id.addingPercentEncoding(withAllowedCharacters: Self.unreserved) ?? id
        let query = wait.map { "?wait=\(DurationText.text($0))" } ?? ""
        return "\(base)/v1/payloads/\(path)\(query)"
    }

    /// What an answer means.
    func document(_ id: String, status: UInt, body: Data) throws(CommandFailure) -> Data {
        if status == 200 { return body }
        let problem = try? JSONDecoder().decode(Problem.self, from: body)
        let detail = problem.flatMap { $0.detail ?? $0.title } ?? "HTTP status \(status)"
        let exitCode: Int32 =
            switch status {
            case 404: 4
            case 400: 2
            default: 1
            }
        throw CommandFailure("\(SingleLine.shorten(id)): \(SingleLine.shorten(detail, to: 500))", exitCode: exitCode)
    }

    /// RFC 9457.
    private struct Problem: Decodable {
        let title: String?
        let detail: String?
    }

    private static let unreserved = CharacterSet(
        charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
    )
}
