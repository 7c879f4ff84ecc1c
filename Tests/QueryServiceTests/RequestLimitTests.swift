import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import PayloadModel
import QueryService
import Synchronization
import Testing

@Suite("Too many questions at once", .timeLimit(.minutes(1)))
struct RequestLimitTests {
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

    @Test("who waits for an outcome leaves connections to probes and to those who do not wait: the next one is refused")
    func waiting() async throws {
        let gate = Gate()
        let reader = StubReader { id, _ in .failedUpload(id, outcome: gate.isOpen ? .failed : .open) }
        try await Endpoint(reader: reader, watcher: gate).server.application.test(.router) { http in
            try await withThrowingTaskGroup(of: HTTPResponse.Status.self) { group in
                for number in 0..<3_072 {
                    let target = "/v1/payloads/p\(number)?wait=60s"
                    group.addTask { try await http.execute(uri: target, method: .get) { $0.status } }
                }
                var arrived = gate.arrivals.makeAsyncIterator()
                for _ in 0..<3_072 { await arrived.next() }
                let refused = try await http.execute(uri: "/v1/payloads/abc?wait=1s", method: .get) { $0 }
                #expect(refused.status == .serviceUnavailable)
                #expect(refused.headers[.retryAfter] == "5")
                for target in ["/v1/payloads/abc", "/v1/payloads/abc?wait=0", "/healthz"] {
                    #expect(try await http.execute(uri: target, method: .get) { $0.status } == .ok)
                }
                gate.open()
                for try await status in group { #expect(status == .ok) }
            }
            #expect(try await http.execute(uri: "/v1/payloads/abc?wait=1s", method: .get) { $0.status } == .ok)
        }
    }
}

/// Tells of those who wait, and lets all of them go at once.
private final class Gate: PayloadWatcher {
    let arrivals: AsyncStream<Void>
    private let arrival: AsyncStream<Void>.Continuation
    private let state = Mutex<(isOpen: Bool, waiting: [AsyncStream<Void>.Continuation])>((false, []))

    init() { (arrivals, arrival) = AsyncStream.makeStream() }

    var isOpen: Bool { state.withLock { $0.isOpen } }

    func changes(of id: PayloadID) -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
        let isOpen = state.withLock { state in
            if !state.isOpen { state.waiting.append(continuation) }
            return state.isOpen
        }
        if isOpen { continuation.finish() }
        arrival.yield()
        return stream
    }

    func open() {
        let waiting = state.withLock { state in
            state.isOpen = true
            return state.waiting
        }
        for continuation in waiting { continuation.finish() }
    }
}
