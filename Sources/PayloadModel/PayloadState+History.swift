// Which entries of a payload are kept and which of them its history shows.
//
// The history is the newest entries within two bounds. More than that is stored: entries that a late arrival could yet make current
// or telling, the recovered failures, and a margin, so that what is shown stays a function of the set of entries in any order of
// arrival. (With no bound at all it would be exact; a payload that gets its entries more than the margin out of order may show less.)

extension PayloadState {
    /// How far the stored entries exceed `history.max-entries` and `history.max-bytes`.
    private static let marginEntries = 128
    private static let marginBytes = 128 << 10
    /// The greatest number of recovered failures that are told.
    static let maxRecoveredFailures = 20
    /// Entries of a stage that are never dropped: its current one, the first failing one, and the two around the point where it last began
    /// to fail.
    private static let keptOfEachStage = 4

    /// An entry's place: its stage and its position there.
    struct Place: Hashable {
        var stage: Int
        var entry: Int
    }

    /// Places of the history's entries, newest first, and whether others were cut.
    func history(_ rules: PayloadRules) -> (places: [Place], isCut: Bool) {
        let all = placesNewestFirst()
        if isShownWhole(rules) { return (all, trimmedThrough != nil) }
        var shown = newest(of: all, maxEntries: rules.historyMaxEntries, maxBytes: rules.historyMaxBytes)
        for (index, stage) in stages.enumerated() {
            shown.insert(Place(stage: index, entry: stage.currentIndex(rules.stageRecovery)))
            if let telling = stage.tellingIndex(rules.stageRecovery) {
                shown.insert(Place(stage: index, entry: telling))
            }
        }
        return (all.filter(shown.contains), trimmedThrough != nil || shown.count < all.count)
    }

    /// How many entries of each stage the history has, and whether others were cut: without putting them in order, where nothing was.
    func historyCounts(_ rules: PayloadRules) -> (ofStages: [Int], isCut: Bool) {
        if isShownWhole(rules) { return (stages.map(\.entries.count), trimmedThrough != nil) }
        let history = history(rules)
        var counts = [Int](repeating: 0, count: stages.count)
        for place in history.places { counts[place.stage] += 1 }
        return (counts, history.isCut)
    }

    /// Whether the history has room for all entries that are stored.
    private func isShownWhole(_ rules: PayloadRules) -> Bool {
        entryCount <= rules.historyMaxEntries && entryBytes <= rules.historyMaxBytes
    }

    /// Of all stages. Every message asks for this: in place, so that no references are counted.
    package var entryCount: Int {
        stages.withUnsafeBufferPointer { stages in stages.indices.reduce(0) { $0 + stages[$1].entries.count } }
    }

    /// Of all entries together.
    package var messageBytes: Int {
        stages.withUnsafeBufferPointer { stages in
            stages.indices.reduce(0) { sum, index in
                stages[index].entries.withUnsafeBufferPointer { entries in
                    entries.indices.reduce(sum) { $0 + (entries[$1].message?.byteCount ?? 0) }
                }
            }
        }
    }

    private var entryBytes: Int {
        stages.reduce(0) { sum, stage in stage.entries.reduce(sum) { $0 + stage.byteCount(of: $1) } }
    }

    /// Places of the newest failing entries that their stages have moved on from, newest first. Ignored services do not count.
    func recoveredFailures(_ rules: PayloadRules) -> [Place] {
        if rules.stageRecovery == .sticky { return [] }
        var places: [Place] = []
        for (index, stage) in stages.enumerated() where !rules.ignoredServices.contains(stage.service) {
            for entry in 0..<stage.indexAfterLastNonFailing where stage.entries[entry].status.isFailing {
                places.append(Place(stage: index, entry: entry))
            }
        }
        places.sort(by: isNewer)
        return Array(places.prefix(PayloadState.maxRecoveredFailures))
    }

    /// An upper bound of what is kept of one payload, in bytes as the history counts them, and of its ids.
    public static func largestBytes(_ rules: PayloadRules) -> Int {
        // A status word is one of the vocabulary's; service and source of an entry are those of its stage.
        let entry = rules.statusMessageMaxBytes + 1_024
        let newest = rules.historyMaxBytes + marginBytes
        let whileNotTrimmed = 2 * marginBytes + entry
        let ids = 2 * RecentTexts.capacity * (StatusDecoder.maxFieldBytes + 32)
        // The newest, the failures that may recover, those that have recovered, and what is kept of each stage in any case.
        return 2 * newest + whileNotTrimmed + (maxRecoveredFailures + PayloadRules.maxStages * keptOfEachStage) * entry
            + ids
    }

    /// Drops what neither the history nor a later arrival can need. Works in strides, so that it costs little per entry.
    mutating func trimHistory(_ rules: PayloadRules) {
        let margin = PayloadState.marginEntries
        let entryCount = entryCount
        // What is kept of each stage in any case is counted on top: the next trim is then due only after a whole stride.
        let keptOfStage = PayloadState.maxRecoveredFailures + PayloadState.keptOfEachStage
        let isLong = entryCount > rules.historyMaxEntries + 2 * margin + stages.count * keptOfStage
        guard isLong || isHeavy(entryCount, rules) else { return }
        let all = placesNewestFirst()
        var kept = newest(
            of: all,
            maxEntries: rules.historyMaxEntries + margin,
            maxBytes: rules.historyMaxBytes + PayloadState.marginBytes
        )
        for (index, stage) in stages.enumerated() {
            kept.insert(Place(stage: index, entry: stage.entries.count - 1))
            let afterNonFailing = stage.indexAfterLastNonFailing
            if afterNonFailing > 0 { kept.insert(Place(stage: index, entry: afterNonFailing - 1)) }
            if afterNonFailing < stage.entries.count { kept.insert(Place(stage: index, entry: afterNonFailing)) }
            // Kept whatever the recovery rule is now: the setting may change while the payload lives.
            if let first = stage.entries.firstIndex(where: { $0.status.isFailing }) {
                kept.insert(Place(stage: index, entry: first))
            }
        }
        kept.formUnion(recoveredFailures(rules))
        kept.formUnion(recoverableFailures(of: all, rules))
        // The places are newest first, so the first that is dropped has the greatest date.
        guard let dropped = all.first(where: { !kept.contains($0) }) else { return }
        let date = stages[dropped.stage].entries[dropped.entry].date
        for index in stages.indices {
            let entries = stages[index].entries
            stages[index].entries = entries.indices.filter { kept.contains(Place(stage: index, entry: $0)) }.map {
                entries[$0]
            }
        }
        trimmedThrough = max(trimmedThrough ?? date, date)
    }

    /// The newest failing entries of each stage, which become recovered failures when the stage moves on; within a budget
    /// of bytes.
    private func recoverableFailures(of placesNewestFirst: [Place], _ rules: PayloadRules) -> Set<Place> {
        var counts = [Int](repeating: 0, count: stages.count)
        let places = placesNewestFirst.filter { place in
            guard stages[place.stage].entries[place.entry].status.isFailing else { return false }
            counts[place.stage] += 1
            return counts[place.stage] <= PayloadState.maxRecoveredFailures
        }
        return newest(of: places, maxEntries: places.count, maxBytes: rules.historyMaxBytes + PayloadState.marginBytes)
    }

    /// Whether the history, the reasons or the dates differ from those of `other`, which has the same stages.
    func tellsOther(than other: PayloadState, _ rules: PayloadRules) -> Bool {
        dates != other.dates
            || zip(stages, other.stages).contains { $0.firstDate != $1.firstDate || $0.lastDate != $1.lastDate }
            || history(rules).places.map(report) != other.history(rules).places.map(other.report)
            || recoveredFailures(rules).map(report) != other.recoveredFailures(rules).map(other.report)
    }

    /// Newest first: by the stages' order, then service and source.
    private func isNewer(_ a: Place, _ b: Place) -> Bool {
        let (entryA, entryB) = (stages[a.stage].entries[a.entry], stages[b.stage].entries[b.entry])
        return entryA == entryB ? a.stage > b.stage : entryA > entryB
    }

    private func placesNewestFirst() -> [Place] {
        var places: [Place] = []
        for (index, stage) in stages.enumerated() {
            for entry in stage.entries.indices { places.append(Place(stage: index, entry: entry)) }
        }
        places.sort(by: isNewer)
        return places
    }

    private func newest(of places: [Place], maxEntries: Int, maxBytes: Int) -> Set<Place> {
        var bytes = 0
        var taken: Set<Place> = []
        for place in places.prefix(maxEntries) {
            bytes += stages[place.stage].byteCount(of: stages[place.stage].entries[place.entry])
            if bytes > maxBytes { break }
            taken.insert(place)
        }
        return taken
    }

    private func isHeavy(_ entryCount: Int, _ rules: PayloadRules) -> Bool {
        let limit = rules.historyMaxBytes + 2 * PayloadState.marginBytes
        // Nearly always true, and spares the sum: an entry's other texts have less than 1 KiB.
        if entryCount * (rules.statusMessageMaxBytes + 1_024) <= limit { return false }
        return entryBytes > limit
    }
}

extension Stage {
    /// What an entry counts against `history.max-bytes`: its texts, and 16 bytes for its date and status.
    fileprivate func byteCount(of entry: StatusEntry) -> Int {
        16 + service.byteCount + (source?.byteCount ?? 0) + entry.rawStatus.byteCount + (entry.message?.byteCount ?? 0)
    }
}
