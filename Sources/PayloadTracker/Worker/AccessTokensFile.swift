import Foundation
import Logging
import QueryService
import ServiceLifecycle
import StreamRuntime

/// The file of `http.tokens-file`, read again every few seconds: tokens come and go without a restart.
struct AccessTokensFile: Service {
    let tokens: AccessTokens
    private let path: String
    private let logger: Logger

    private static let pause = Duration.seconds(5)

    /// Throws for a file that cannot be read or understood, and where other instances could not get past the tokens.
    init(_ path: String, settings: Settings, logger: Logger) throws(WorkerError) {
        guard settings.httpPeerSecret != nil else {
            throw WorkerError(
                description:
                    "http.tokens-file needs http.peer-secret, which instances show each other",
                exitCode: 2
            )
        }
        self.path = path
        self.logger = logger
        do {
            tokens = try AccessTokens(try String(contentsOfFile: path, encoding: .utf8))
        } catch let error as AccessTokensError {
            throw WorkerError(description: "http.tokens-file \(SingleLine.shorten(path)): \(error)", exitCode: 2)
        } catch {
            throw WorkerError(
                description: "http.tokens-file \(SingleLine.shorten(path)) cannot be read as UTF-8 text",
                exitCode: 2
            )
        }
    }

    func run() async {
        var lastTrouble: String?
        while !Task.isShuttingDownGracefully && !Task.isCancelled {
            // Not inotify: a mounted Secret is replaced by links, and five seconds are soon enough.
            try? await cancelWhenGracefulShutdown { try await Task.sleep(for: AccessTokensFile.pause) }
            let trouble = await refresh()
            if let trouble, trouble != lastTrouble {
                logger.error("\(trouble); the tokens that were read before still hold")
            }
            lastTrouble = trouble
        }
    }

    /// Returns what is wrong with the file.
    private func refresh() async -> String? {
        let text = await onOwnThread("tokens-file") { [path] in try? String(contentsOfFile: path, encoding: .utf8) }
        guard let text else { return "http.tokens-file \(SingleLine.shorten(path)) cannot be read as UTF-8 text" }
        do throws(AccessTokensError) {
            if try tokens.replace(with: text) { logger.notice("http.tokens-file has changed: \(tokens.count) tokens") }
            return nil
        } catch {
            return "http.tokens-file \(SingleLine.shorten(path)): \(error)"
        }
    }
}
