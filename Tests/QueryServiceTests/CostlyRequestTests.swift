import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import QueryService
import Testing

@Suite("Too many questions at once", .timeLimit(.minutes(1)))
struct CostlyRequestTests {
    @Test("lists and counts beyond 64 are refused until one is done; lookups and probes are not")
    func refused() async throws {
        let (gate, opener) = AsyncStream.makeStream(of: Void.self)
        let (arrivals, arrival) = AsyncStream.makeStream(of: Void.self)
        let client = StubPeerClient { _ throws(PeerFailure) in
            arrival.yield()
            for await _ in gate {}
            return PeerAnswer(status: .ok, headers: [:], body: ByteBuffer())
        }
        let peers = Peers(directory: StubDirectory([[3: .one]]), client: client, secret: nil)
        try await Endpoint(peers: peers).server.application.test(.router) { http in
            try await withThrowingTaskGroup(of: HTTPResponse.Status.self) { group in
                for _ in 0..<64 {
                    group.addTask { try await http.execute(uri: "/v1/partitions", method: .get) { $0.status } }
                }
                var arrived = arrivals.makeAsyncIterator()
                for _ in 0..<64 { await arrived.next() }
                let refused = try await http.execute(uri: "/v1/payloads", method: .get) { $0 }
                #expect(refused.status == .serviceUnavailable)
                #expect(refused.headers[.retryAfter] == "1")
                for target in ["/v1/payloads/abc", "/readyz", "/"] {
                    #expect(try await http.execute(uri: target, method: .get) { $0.status } == .ok)
                }
                opener.finish()
                for try await status in group { #expect(status == .ok) }
            }
            #expect(try await http.execute(uri: "/v1/partitions", method: .get) { $0.status } == .ok)
        }
    }
}
