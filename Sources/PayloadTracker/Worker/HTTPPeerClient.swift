import AsyncHTTPClient
import HTTPTypes
import NIOCore
import NIOHTTP1
import QueryService

/// Asks other instances with a pool of connections of its own, which lives as long as the process.
struct HTTPPeerClient: PeerClient {
    var authorities = TrustedAuthorities.system

    /// A machine that is gone answers nothing at all.
    private static let connectTimeout = TimeAmount.seconds(1)
    /// Shorter than a server keeps a connection that is not used, so that none is closed just as it is.
    private static let idleTimeout = TimeAmount.seconds(30)
    /// Of an answer, which is held in memory until it is passed on.
    private static let maxBytes = 32 << 20
    private static let shared = HTTPClient(
        eventLoopGroupProvider: .singleton,
        configuration: {
            var configuration = HTTPClient.Configuration(
                redirectConfiguration: .disallow,
                timeout: HTTPClient.Configuration.Timeout(connect: connectTimeout),
                connectionPool: HTTPClient.Configuration.ConnectionPool(
                    idleTimeout: idleTimeout,
                    concurrentHTTP1ConnectionsPerHostSoftLimit: Peers.maxRequests
                )
            )
            // Whoever asks decides whether it is worth another try.
            configuration.connectionPool.retryConnectionEstablishment = false
            return configuration
        }()
    )

    func get(_ url: String, headers: HTTPFields, timeout: Duration) async throws(PeerFailure) -> PeerAnswer {
        var request = HTTPClientRequest(url: url)
        request.tlsConfiguration = authorities.tlsConfiguration
        for field in headers { request.headers.add(name: field.name.rawName, value: field.value) }
        let deadline = NIODeadline.now() + .nanoseconds(max(timeout, .zero).microseconds * 1_000)
        do {
            let response = try await HTTPPeerClient.shared.execute(request, deadline: deadline)
            var fields = HTTPFields()
            for (name, value) in response.headers {
                if let name = HTTPField.Name(name) { fields.append(HTTPField(name: name, value: value)) }
            }
            return PeerAnswer(
                status: HTTPResponse.Status(code: Int(response.status.code)),
                headers: fields,
                body: try await response.body.collect(upTo: HTTPPeerClient.maxBytes)
            )
        } catch {
            throw HTTPPeerClient.failure(error)
        }
    }

    private static func failure(_ error: any Error) -> PeerFailure {
        if Task.isCancelled || error is CancellationError { return .cancelled }
        if error is NIOTooManyBytesError { return .tooLarge }
        // Another instance, or the same one later, would not do better: somebody has to put the settings right.
        if let reason = ConnectionFailure.reason(error, isTLS: true) { return .unusable(reason) }
        return switch error as? HTTPClientError {
        case HTTPClientError.cancelled: .cancelled
        case HTTPClientError.deadlineExceeded, HTTPClientError.readTimeout: .timedOut
        default: .unreachable("\(error)")
        }
    }
}
