import Crypto
import Foundation
import HTTPTypes
import NIOCore
import Synchronization

/// How many requests each client may make, so that one cannot take the endpoint from the others. Thread-safe.
final class RequestRates: Sendable {
    /// Whose requests are counted together.
    enum Client: Hashable, Sendable {
        case token(SHA256.Digest)
        /// Of signed tokens, however many it has.
        case subject(SHA256.Digest)
        /// Of IPv6 the network: whoever has one address there has 2⁶⁴ of them.
        case address([UInt8])
        /// All that there is no room for.
        case others

        init(_ address: SocketAddress?) {
            self =
                switch address {
                case .v4(let address): .address(withUnsafeBytes(of: address.address.sin_addr) { Array($0) })
                case .v6(let address): Client(withUnsafeBytes(of: address.address.sin6_addr) { Array($0) })
                case .unixDomainSocket, nil: .address([])
                }
        }

        /// An IPv4 address looks like this to an endpoint that listens on `::` (RFC 4291, section 2.5.5.2).
        private init(_ bytes: [UInt8]) {
            let isIPv4 = bytes.prefix(12).elementsEqual([UInt8](repeating: 0, count: 10) + [0xFF, 0xFF])
            self = .address(isIPv4 ? Array(bytes.suffix(4)) : Array(bytes.prefix(8)))
        }
    }

    fileprivate struct State {
        /// When each client will have its whole burst again; gone once that is over.
        var rested: [Client: ContinuousClock.Instant] = [:]
        var sweptAt: ContinuousClock.Instant?
    }

    /// Some 100 bytes each.
    static let maxClients = 10_000
    /// A page asks several questions as it opens.
    static let burst = Duration.seconds(5)
    private let perSecond: Int
    private let state = Mutex(State())

    /// - Parameter perSecond: requests of each client, more than 0.
    init(perSecond: Int) {
        self.perSecond = perSecond
    }

    /// Counts a request. Throws a 429 when the client has made too many.
    func admit(_ client: Client, at now: ContinuousClock.Instant = .now) throws(Problem) {
        let cost = Duration.seconds(1) / perSecond
        let excess = state.withLock { state in
            let client = state.hasRoom(for: client, at: now) ? client : .others
            let rested = max(state.rested[client] ?? now, now) + cost
            let excess = rested - now - RequestRates.burst
            if excess <= .zero { state.rested[client] = rested }
            return excess
        }
        guard excess > .zero else { return }
        throw Problem(
            status: .tooManyRequests,
            detail: "a client may make \(perSecond) requests a second here, and some more at once",
            retryAfterSeconds: Int(excess.components.seconds) + 1
        )
    }

    var clientCount: Int { state.withLock { $0.rested.count } }
}

extension RequestRates.State {
    /// Whether the client can be counted by itself. Forgets those that have been quiet, but seldom: each time it looks at all.
    fileprivate mutating func hasRoom(for client: RequestRates.Client, at now: ContinuousClock.Instant) -> Bool {
        if rested[client] != nil || rested.count < RequestRates.maxClients { return true }
        if let sweptAt, now - sweptAt < .seconds(1) { return false }
        sweptAt = now
        rested = rested.filter { $0.value > now }
        return rested.count < RequestRates.maxClients
    }
}
