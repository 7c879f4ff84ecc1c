import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import QueryService

/// The HTTP endpoint of an instance, as commands ask it.
struct PayloadEndpoint {
    private let root: URL
    private let token: BearerToken?
    private let authorities: TrustedAuthorities

    /// The greatest wait that the endpoint takes, plus its own time to answer.
    private static let longestWait = Duration.seconds(60)
    private static let patience = Duration.seconds(10)
    private static let maxDocumentBytes = 64 << 20

    /// Who asks is told at once when there is nobody, or nobody to be trusted: the shared client tries again for as long as it may take.
    static let client = HTTPClient(
        eventLoopGroupProvider: .singleton,
        configuration: {
            var configuration = HTTPClient.Configuration.singletonConfiguration
            configuration.timeout.connect = .seconds(10)
            configuration.connectionPool.retryConnectionEstablishment = false
            return configuration
        }()
    )

    /// - Parameters:
    ///   - token: shown with each question; nil: the endpoint wants none.
    ///   - authorities: who vouches for the endpoint, where it is https.
    init(
        _ text: String,
        token: BearerToken? = nil,
        authorities: TrustedAuthorities = .system
    ) throws(CommandFailure) {
        guard let url = URL(string: text), ["http", "https"].contains(url.scheme?.lowercased()),
            url.host()?.isEmpty == false, url.query() == nil, url.fragment() == nil
        else {
            throw CommandFailure("--url \(SingleLine.shorten(text)) is not an http or https URL", exitCode: 2)
        }
        root = url
        self.token = token
        self.authorities = authorities
    }

    /// The payload's document, as JSON. Throws with exit code 4 when it is unknown.
    func payload(_ id: String, wait: Duration?) async throws(CommandFailure) -> Data {
        try await ask(address(of: id, wait: wait), about: id, wait: wait)
    }

    /// The payload's history, newest first, as JSON.
    func statuses(_ id: String) async throws(CommandFailure) -> Data {
        try await ask(address(of: id, wait: nil) + "/statuses", about: id, wait: nil)
    }

    /// What the endpoint answers at a path with its query.
    func document(at target: String) async throws(CommandFailure) -> Data {
        try await ask(base + target, about: target, wait: nil)
    }

    private func ask(_ address: String, about id: String, wait: Duration?) async throws(CommandFailure) -> Data {
        let patience = min(wait ?? .zero, Self.longestWait) + Self.patience
        let status: UInt
        let body: Data
        do {
            let response = try await Self.client.execute(
                request(address),
                timeout: .nanoseconds(patience.microseconds * 1000)
            )
            status = response.status.code
            body = Data(try await response.body.collect(upTo: Self.maxDocumentBytes).readableBytesView)
        } catch {
            throw noAnswer(from: root.absoluteString, error)
        }
        return try document(id, status: status, body: body)
    }

    func request(_ address: String) -> HTTPClientRequest {
        var request = HTTPClientRequest(url: address)
        request.tlsConfiguration = authorities.tlsConfiguration
        if let token { request.headers.add(name: "Authorization", value: "Bearer \(token.text)") }
        return request
    }

    func noAnswer(from address: String, _ error: any Error) -> CommandFailure {
        let reason = ConnectionFailure.reason(error, isTLS: root.scheme?.lowercased() == "https")
        return CommandFailure("no answer from \(address): \(reason.map { "it \($0)" } ?? "\(error)")")
    }

    func address(of id: String, wait: Duration?) -> String {
        let query = wait.map { "?wait=\(DurationText.text($0))" } ?? ""
        return "\(base)/v1/payloads/\(Self.encode(id))\(query)"
    }

    /// Of the stream of outcomes.
    func streamAddress(_ filters: [(name: String, value: String)]) -> String {
        let query = filters.map { "\($0.name)=\(Self.encode($0.value))" }.joined(separator: "&")
        return "\(base)/v1/outcomes/stream\(query.isEmpty ? "" : "?\(query)")"
    }

    private var base: String {
        root.absoluteString.hasSuffix("/") ? String(root.absoluteString.dropLast()) : root.absoluteString
    }

    /// As RFC 3986 has it, so that a slash or a question mark in an id stays part of it.
    private static func encode(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: unreserved) ?? text
    }

    /// What an answer means.
    func document(_ id: String, status: UInt, body: Data) throws(CommandFailure) -> Data {
        guard status == 200 else { throw Self.failure(about: id, status: status, body: body) }
        return body
    }

    static func failure(about subject: String, status: UInt, body: Data) -> CommandFailure {
        let problem = try? JSONDecoder().decode(Problem.self, from: body)
        let detail = problem.flatMap { $0.detail ?? $0.title } ?? "HTTP status \(status)"
        let exitCode: Int32 =
            switch status {
            case 404: 4
            case 400: 2
            default: 1
            }
        let hint = status == 401 ? "; http.token (PAYLOAD_TRACKER_HTTP_TOKEN) says which one to show" : ""
        return CommandFailure(
            "\(SingleLine.shorten(subject)): \(SingleLine.shorten(detail, to: 500))\(hint)",
            exitCode: exitCode
        )
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

extension PayloadEndpoint {
    /// - Parameter url: what the command was told; nil: the settings say it.
    init(_ url: String?, _ options: SettingsOptions) throws {
        let settings = try options.settings()
        try self.init(
            url ?? settings.reachableURL,
            token: settings.httpToken,
            authorities: try TrustedAuthorities(settings.httpTLSCAFile)
        )
    }
}
