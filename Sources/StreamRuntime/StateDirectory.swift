import Foundation
import RocksStore

/// The directory of an application's local state, `<state.dir>/<application.id>`: one process has it at a time.
///
/// It holds the file `lock`, the file `state.json` (this layout's version, and a name for what works on this state), and one directory
/// for each task with a store. Thread-safe.
final class StateDirectory: Sendable {
    let path: String
    /// The same over restarts, and no other process has it: the producers of a restarted process can be told to end what those
    /// of the crashed one left open.
    let processID: String
    private let lock: StateLock

    private static let layoutVersion = 1

    private struct Description: Codable {
        var layoutVersion: Int
        var processID: String

        enum CodingKeys: String, CodingKey {
            case layoutVersion = "layout_version"
            case processID = "process_id"
        }
    }

    /// Makes the directory where it is not there, and locks it until this object is gone.
    ///
    /// - Parameter patience: seconds to wait for another process that has it and may be about to end.
    /// - Throws: `.refusedSettings` for a directory that cannot be made or written; `.incompatible` for one that is in use, or has another
    ///   layout; `.store` when the disk is full.
    init(path: String, patience: Double) throws(StreamError) {
        self.path = path
        try StateDirectory.make(path)
        lock = try StateLock(path: path, patience: patience)
        processID = try StateDirectory.describe(path).processID
    }

    /// Makes the directory where it is not there. Throws as `init` does.
    static func make(_ path: String) throws(StreamError) {
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            throw unusable(path, error)
        }
        guard access(path, W_OK | X_OK) == 0 else { throw unusable(path, POSIXError.current) }
    }

    /// Locks a directory that is there. As the other one else.
    convenience init(existing path: String, patience: Double) throws(StreamError) {
        guard FileManager.default.fileExists(atPath: path) else {
            throw .incompatible("state.dir: there is no state in \(path)")
        }
        try self.init(path: path, patience: patience)
    }

    fileprivate static func unusable(_ path: String, _ error: any Error) -> StreamError {
        let code = (error as? POSIXError)?.code
        if code == .ENOSPC || code == .EDQUOT || (error as? CocoaError)?.code == .fileWriteOutOfSpace {
            return .store(StoreError(.noSpace, path: path, "state.dir is on a full disk; make room, or enlarge it"))
        }
        return .refusedSettings(
            "state.dir: \(path) cannot be used: \(reason(path, error)); make it a directory that this user may write in, or name another"
        )
    }

    /// Foundation's own words would be a number.
    private static func reason(_ path: String, _ error: any Error) -> String {
        // Without `..`, which would be taken for a name that can be left out.
        var existing = URL(filePath: path).standardizedFileURL
        while !FileManager.default.fileExists(atPath: existing.path), existing.pathComponents.count > 1 {
            existing.deleteLastPathComponent()
        }
        var isDirectory: ObjCBool = false
        if FileManager.default.fileExists(atPath: existing.path, isDirectory: &isDirectory), !isDirectory.boolValue {
            return "\(existing.path) is a file"
        }
        if let error = error as? POSIXError { return String(cString: strerror(error.code.rawValue)) }
        guard access(existing.path, W_OK | X_OK) != 0 else { return "it cannot be made in \(existing.path)" }
        return "\(existing.path): \(String(cString: strerror(errno)))"
    }

    /// What the directory says of itself; a new one is given its description.
    private static func describe(_ path: String) throws(StreamError) -> Description {
        let url = URL(filePath: "\(path)/state.json")
        do {
            let known = FileManager.default.fileExists(atPath: url.path) ? try Data(contentsOf: url) : Data()
            // An empty one is what the machine's death may leave of a new one.
            if known.isEmpty {
                let new = Description(layoutVersion: layoutVersion, processID: UUID().uuidString.lowercased())
                try JSONEncoder().encode(new).write(to: url, options: .atomic)
                return new
            }
            let found = try JSONDecoder().decode(Description.self, from: known)
            guard found.layoutVersion == layoutVersion else {
                throw StreamError.incompatible(
                    "state.dir: \(path) has layout \(found.layoutVersion), and this program knows \(layoutVersion); "
                        + "run the program that made it, or delete it: it is rebuilt from the changelog"
                )
            }
            return found
        } catch let error as StreamError {
            throw error
        } catch is DecodingError {
            throw .incompatible("state.dir: \(url.path) is damaged; delete \(path): it is rebuilt from the changelog")
        } catch {
            throw unusable(path, error)
        }
    }

    /// Deletes a store's directory, which nobody has open, whatever is in it. Throws `.store` for what is wrong with the disk.
    func delete(_ store: String) throws(StreamError) {
        guard FileManager.default.fileExists(atPath: store) else { return }
        do {
            try FileManager.default.removeItem(atPath: store)
        } catch {
            throw .store(StoreError(.io, path: store, "it cannot be deleted: \(StateDirectory.reason(store, error))"))
        }
    }

    /// Whether some bytes can be written and kept, so that a store might go on.
    var isWritable: Bool {
        let probe = "\(path)/probe"
        defer { unlink(probe) }
        let file = open(probe, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0o644)
        guard file >= 0 else { return false }
        defer { Foundation.close(file) }
        let bytes = [UInt8](repeating: 0, count: 1 << 20)
        return write(file, bytes, bytes.count) == bytes.count && fsync(file) == 0
    }
}

/// Keeps other processes out of a state directory until this object is gone.
final class StateLock: Sendable {
    static let fileName = "lock"
    private let file: Int32

    /// - Parameters:
    ///   - path: of the directory, which is there.
    ///   - patience: seconds to wait for another process that has it and may be about to end.
    init(path: String, patience: Double) throws(StreamError) {
        file = open("\(path)/\(StateLock.fileName)", O_CREAT | O_RDWR | O_CLOEXEC, 0o644)
        if file < 0 { throw StateDirectory.unusable(path, POSIXError.current) }
        let deadline = monotonicSeconds() + patience
        while flock(file, LOCK_EX | LOCK_NB) != 0 {
            if monotonicSeconds() > deadline {
                Foundation.close(file)
                throw .incompatible(
                    "state.dir: another process works in \(path); stop it, or give each instance a state.dir of its own"
                )
            }
            // Not `flock` that waits: that has no end.
            Thread.sleep(forTimeInterval: 0.1)
        }
    }

    deinit { Foundation.close(file) }
}

extension POSIXError {
    fileprivate static var current: POSIXError { POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
}
