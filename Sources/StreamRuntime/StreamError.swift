import KafkaClient
import RocksStore

/// Why a stream thread cannot go on as it was.
public enum StreamError: Error, Sendable, CustomStringConvertible {
    /// The broker or the client refused something. The thread drops what it has not committed and goes on from there.
    case kafka(KafkaError)
    /// A local store cannot be read or written. The thread stops; nothing that was committed is lost.
    case store(StoreError)
    /// Topics, state and settings do not fit each other. The worker stops; the sentence says what to do.
    case incompatible(String)
    /// The group's coordinator gave the member's place to another one with the same `group.instance.id`. The thread joins again.
    case fenced(KafkaError)
    /// Settings that cannot be worked with: the Kafka client does not take its own, or `state.dir` is no directory to write in.
    case refusedSettings(String)
    /// The worker was asked to stop while the thread waited for the broker.
    case stopped

    public var description: String {
        switch self {
        case .kafka(let error): "\(error)"
        case .store(let error): "\(error)"
        case .incompatible(let sentence): sentence
        case .fenced(let error):
            "the worker has lost its place in the consumer group (\(error)); does another one run with its group.instance.id?"
        case .refusedSettings(let sentence): sentence
        case .stopped: "stopped while waiting for the broker"
        }
    }
}

/// Runs `body` with errors of the client as errors of the runtime.
func withKafka<R>(_ body: () throws(KafkaError) -> R) throws(StreamError) -> R {
    do { return try body() } catch { throw .kafka(error) }
}

extension StreamError {
    static func refusedSettings(ofClient error: KafkaError) -> StreamError {
        .refusedSettings("the kafka.* settings are refused: \(error)")
    }
}

/// Runs `body` with errors of a store as errors of the runtime.
public func withStore<R: ~Copyable>(_ body: () throws(StoreError) -> R) throws(StreamError) -> R {
    do { return try body() } catch { throw .store(error) }
}
