import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1

/// Follows the stream of outcomes, over lost connections without a gap.
struct OutcomeWatch {
    let endpoint: PayloadEndpoint
    let filters: [(name: String, value: String)]
    /// Ends after so many events; nil: never.
    let count: Int?
    let output: WatchOutput

    /// The stream shows a sign of life every 15 s or so.
    private static let silence = TimeAmount.seconds(45)
    private static let longestPause = Duration.seconds(10)

    /// Why a connection ended.
    private enum Ending {
        case enough
        case lost(String)
    }

    func run() async throws {
        var configuration = HTTPClient.Configuration()
        configuration.timeout = .init(connect: .seconds(10), read: Self.silence)
        configuration.connectionPool.retryConnectionEstablishment = false
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        do {
            try await follow(client)
        } catch {
            try? await client.shutdown()
            throw error
        }
        try await client.shutdown()
    }

    private func follow(_ client: HTTPClient) async throws {
        var parser = EventStreamParser()
        var left = count
        var pause = Duration.seconds(1)
        var hasConnected = false
        while true {
            let ending = try await read(client, &parser, &left) {
                hasConnected = true
                pause = .seconds(1)
            }
            guard case .lost(let reason) = ending else { return }
            guard hasConnected else { throw CommandFailure(reason) }
            output.remark("\(reason); trying again")
            try await Task.sleep(for: pause)
            pause = min(pause * 2, Self.longestPause)
        }
    }

    private func read(
        _ client: HTTPClient,
        _ parser: inout EventStreamParser,
        _ left: inout Int?,
        onConnected: () -> Void
    ) async throws -> Ending {
        let address = endpoint.streamAddress(filters)
        var request = endpoint.request(address)
        if let id = parser.lastID { request.headers.add(name: "Last-Event-ID", value: id) }
        do {
            // The deadline is for the whole of the stream: after a day it is connected anew.
            let response = try await client.execute(request, timeout: .hours(24))
            guard response.status == .ok else {
                let body = Data(try await response.body.collect(upTo: 1 << 20).readableBytesView)
                let failure = PayloadEndpoint.failure(about: address, status: response.status.code, body: body)
                if failure.exitCode == 2 { throw failure }
                return .lost(failure.description)
            }
            onConnected()
            parser = parser.resumed
            for try await buffer in response.body {
                for event in parser.append(Array(buffer.readableBytesView)) {
                    try show(event)
                    if let count = left {
                        left = count - 1
                        if count == 1 { return .enough }
                    }
                }
            }
            return .lost("the stream from \(address) has ended")
        } catch let failure as CommandFailure {
            throw failure
        } catch {
            return .lost(endpoint.noAnswer(from: address, error).description)
        }
    }

    private func show(_ event: [UInt8]) throws(CommandFailure) {
        if output.isJSON {
            try output.write(event)
        } else if let line = OutcomeLine(event) {
            try output.write(line.text(output.terminal))
        }
    }
}
