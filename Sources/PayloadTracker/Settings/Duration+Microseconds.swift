extension Duration {
    /// Whole microseconds, the domain's unit of time; what is finer is cut.
    var microseconds: Int64 {
        components.seconds * 1_000_000 + components.attoseconds / 1_000_000_000_000
    }
}
