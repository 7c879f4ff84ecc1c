import HTTPTypes
import NIOCore
import PayloadModel
import Testing

@testable import QueryService

/// A client that takes its time must not take a place from others.
@Suite("Slow clients", .timeLimit(.minutes(1)))
struct SlowClientTests {
    private static let quick = Endpoint(requestTimeout: .milliseconds(200))
    private static let request = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
    private static let end = #"{"status":"ok"}"#

    @Test(
        "a connection that does not bring a whole header in time is closed, however often it sends a little",
        arguments: ["", "GET /", "GET /healthz HTTP/1.1\r\nHost: a\r\n"]
    )
    func slowHeader(_ beginning: String) async throws {
        try await Self.quick.serve { port in
            try await RawConnection.open(port) { connection in
                async let rest = connection.rest()
                try await connection.send(beginning)
                while connection.channel.isActive && !beginning.isEmpty {
                    do { try await connection.send("x") } catch { break }
                    // A byte at a time, far more often than the time limit: what is slow is the whole.
                    try await Task.sleep(for: .milliseconds(20))
                }
                #expect(try await rest.isEmpty)
            }
        }
    }

    @Test(
        "so is one whose request's body does not end",
        arguments: ["Content-Length: 100000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n"]
    )
    func slowBody(_ header: String) async throws {
        try await Self.quick.serve { port in
            try await RawConnection.open(port) { connection in
                async let rest = connection.rest()
                try await connection.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\(header)")
                while connection.channel.isActive {
                    let part = header.contains("chunked") ? "1\r\nx\r\n" : "x"
                    do { try await connection.send(part) } catch { break }
                    // As above.
                    try await Task.sleep(for: .milliseconds(20))
                }
                // What was asked for is answered all the same.
                #expect(String(decoding: try await rest, as: UTF8.self).hasSuffix(Self.end))
            }
        }
    }

    @Test("one that rests between requests, or waits long for an answer, is not")
    func patient() async throws {
        let reader = StubReader { id, _ in .failedUpload(id, outcome: .open) }
        try await Endpoint(reader: reader, requestTimeout: .milliseconds(200)).serve { port in
            try await RawConnection.open(port) { connection in
                for _ in 0..<2 {
                    try await connection.send(Self.request)
                    #expect(try await connection.answer(endingWith: Self.end).hasPrefix("HTTP/1.1 200"))
                    // It rests for twice the time limit.
                    try await Task.sleep(for: .milliseconds(400))
                }
                // The second one's body is not read before the first one's answer is over.
                let body = String(repeating: "x", count: 400_000)
                try await connection.send("GET /v1/payloads/a?wait=600ms HTTP/1.1\r\nHost: a\r\n\r\n")
                try await connection.send(
                    "GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
                )
                let text = try await connection.answer(endingWith: Self.end)
                #expect(text.contains(#""outcome":"open""#) && text.hasSuffix(Self.end))
            }
        }
    }

    @Test("a wait whose client has gone is over, so that its place is free", arguments: [true, false])
    func gone(_ saysSo: Bool) async throws {
        let reader = StubReader { (id, _) throws(ReadFailure) in
            // As a store is read: not by a task that is cancelled.
            if Task.isCancelled { throw .store("cancelled") }
            return .failedUpload(id, outcome: .open)
        }
        let endpoint = Endpoint(reader: reader)
        try await endpoint.serve { port in
            try await RawConnection.open(port) { connection in
                try await connection.send("GET /v1/payloads/a?wait=60s HTTP/1.1\r\nHost: a\r\n\r\n")
                try await until { reader.callCount > 0 }
                guard saysSo else { return }
                try await connection.finish()
                // It is told what is known by now.
                #expect(String(decoding: try await connection.rest(), as: UTF8.self).contains(#""outcome":"open""#))
            }
            // It counts as answered once it is over; the time limit of this test comes before the end of the wait.
            try await until { endpoint.metrics.exposition().contains(#"route="payload""#) }
            #expect(endpoint.metrics.exposition().contains(#"code="200",route="payload""#))
        }
    }

    @Test("so is the wait at another instance, which is asked once more for what it knows")
    func goneElsewhere() async throws {
        let client = StubPeerClient { (request) throws(PeerFailure) in
            guard request.url.contains("wait=0ms") else {
                // An instance that waits as long as it is asked to.
                do { try await Task.sleep(for: .seconds(60)) } catch { throw .cancelled }
                throw .timedOut
            }
            return PeerAnswer(status: .ok, headers: [:], body: ByteBuffer(string: "known"))
        }
        let peers = Peers(directory: StubDirectory([[3: .one]]), client: client, secret: nil)
        try await Endpoint(reader: StubReader.elsewhere, peers: peers).serve { port in
            try await RawConnection.open(port) { connection in
                try await connection.send("GET /v1/payloads/a?wait=60s HTTP/1.1\r\nHost: a\r\n\r\n")
                try await until { !client.requests.isEmpty }
                try await connection.finish()
                #expect(String(decoding: try await connection.rest(), as: UTF8.self).hasSuffix("known"))
            }
        }
    }
}
