import Foundation

/// The file descriptors of this process.
enum OpenFiles {
    private static let enough: rlim_t = 65_536

    /// Thousands of connections and the stores' files need more than the 1,024 that many systems start a process with.
    static func raiseLimit() {
        let files = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        guard getrlimit(files, &limit) == 0, limit.rlim_cur < enough else { return }
        limit.rlim_cur = min(limit.rlim_max, enough)
        _ = setrlimit(files, &limit)
    }
}
