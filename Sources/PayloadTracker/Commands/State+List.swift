import ArgumentParser
import Foundation
import PayloadModel
import PayloadTopology
import QueryService
import RocksStore
import StreamRuntime

extension State {
    /// Payloads of the local stores, newest first.
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists payloads of the local stores, newest first.",
            discussion: """
                Give it the settings of the worker, which must not run. Filters are those of GET /v1/payloads: \
                --filter status=failure --filter failed_service=puptoo.
                """
        )

        @Option(
            name: .customLong("filter"),
            help: ArgumentHelp("Only payloads that have this. Repeatable.", valueName: "name=value")
        )
        var filters: [String] = []

        @Option(help: "The most payloads to list.")
        var limit = 50

        @Flag(help: "Print a document without stages a line, for scripts.")
        var json = false

        @OptionGroup(title: "Settings") var options: SettingsOptions

        func validate() throws {
            guard limit >= 1 else { throw ValidationError("--limit is \(limit), not a number from 1 up") }
        }

        func run() async throws {
            let settings = try options.settings()
            let filter = try filter()
            let limit = limit
            let lines = try await LocalStores.read(settings) { stores throws(StreamError) in
                var items: [PayloadList.Item] = []
                var start: ListPosition?
                repeat {
                    let page = try PayloadList.page(of: stores, filter, after: start, limit: limit - items.count)
                    items += page.items
                    start = page.next
                } while start != nil && items.count < limit
                return items
            }
            for item in lines { print(line(item, settings)) }
        }

        private func filter() throws(CommandFailure) -> PayloadFilter {
            var values: [String: String] = [:]
            for text in filters {
                let sides = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                guard sides.count == 2, PayloadFilter.names.contains(String(sides[0])) else {
                    let names = PayloadFilter.names.sorted().joined(separator: ", ")
                    throw CommandFailure(
                        "--filter \(SingleLine.shorten(text)) is not name=value with one of \(names)",
                        exitCode: 2
                    )
                }
                values[String(sides[0])] = String(sides[1])
            }
            do throws(PayloadFilter.Refusal) {
                return try PayloadFilter(values)
            } catch {
                throw CommandFailure("--filter: \(error)", exitCode: 2)
            }
        }

        private func line(_ item: PayloadList.Item, _ settings: Settings) -> String {
            let state = item.state
            if json {
                return String(
                    decoding: LocalStores.json(state, item.partition, settings, showsStages: false),
                    as: UTF8.self
                )
            }
            let failing = state.failingServices(settings.rules).map(\.string)
            let parts = [
                state.updatedAt?.description ?? "", state.id.description, state.outcome.name,
                state.status(settings.rules).name, failing.joined(separator: ","),
            ]
            return SingleLine.escape(parts.filter { !$0.isEmpty }.joined(separator: "  "))
        }
    }

    /// A payload of the local stores.
    struct Get: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows a payload of the local stores.",
            discussion: """
                Give it the settings of the worker, which must not run. Exits with 0 when the payload is known, 4 when it is not.
                """
        )

        @Argument(help: "The payload's id, in any form.")
        var id: String

        @Flag(help: "Print the document, for scripts.")
        var json = false

        @OptionGroup(title: "Settings") var options: SettingsOptions

        func run() async throws {
            let settings = try options.settings()
            let id: PayloadID
            do {
                id = try PayloadID(normalizing: self.id)
            } catch {
                throw CommandFailure("id: \(error)", exitCode: 2)
            }
            let found = try await LocalStores.read(settings) {
                stores throws(StreamError) -> (state: PayloadState, partition: Int32)? in
                for (partition, store) in stores {
                    if let state = try PayloadStore.payload(id, in: store) {
                        return (state: state, partition: partition)
                    }
                }
                return nil
            }
            guard let found else { throw CommandFailure("no payload \(id) is in the local stores", exitCode: 4) }
            let document = Data(LocalStores.json(found.state, found.partition, settings, showsStages: true))
            if json {
                FileHandle.standardOutput.write(document + Data("\n".utf8))
            } else {
                print(try PayloadTimeline(document).text(Terminal.standardOutput), terminator: "")
            }
        }
    }
}

/// The payload stores in `state.dir`, while no worker has them.
private enum LocalStores {
    /// Gives `body` the stores by partition, on a thread that may wait for the disk.
    static func read<Answer: Sendable>(
        _ settings: Settings,
        _ body: @escaping @Sendable ([Int32: Database]) throws(StreamError) -> Answer
    ) async throws -> Answer {
        let stream = settings.streamSettings(createsInput: false)
        let topology = settings.topology()
        let topic = PayloadTopology.payloadTopic(settings.topics, isInputKeyed: settings.inputKeyedByPayloadID)
        do {
            return try await onOwnThread("state") {
                Result { () throws(StreamError) in
                    let offline = try OfflineStores(settings: stream, topology: topology)
                    defer { withExtendedLifetime(offline) {} }
                    var stores: [Int32: Database] = [:]
                    for (task, store) in offline.stores where task.topic == topic { stores[task.partition] = store }
                    return try body(stores)
                }
            }.get()
        } catch {
            throw CommandFailure("\(error)")
        }
    }

    /// As the endpoint would answer.
    static func json(
        _ state: PayloadState,
        _ partition: Int32,
        _ settings: Settings,
        showsStages: Bool
    ) -> [UInt8] {
        let located = LocatedDocument(
            document: PayloadDocument(state, rules: settings.rules, showsStages: showsStages),
            partition: partition,
            servedBy: "\(settings.stateDir)/\(settings.applicationID)"
        )
        var writer = JSONWriter()
        located.write(to: &writer)
        return writer.bytes
    }
}
