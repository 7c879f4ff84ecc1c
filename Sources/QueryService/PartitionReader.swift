/// Where the service learns how its own instance is getting on. Called as `PayloadReader` is.
public protocol PartitionReader: Sendable {
    /// All partitions; those of others are `unassigned`.
    func partitions() async throws(ReadFailure) -> PartitionsDocument
}

/// The answer to `GET /v1/partitions` (contract, section 6).
public struct PartitionsDocument: Sendable, Codable, Equatable {
    /// What an instance does with a partition.
    public enum State: String, Sendable, Codable {
        case running, restoring, standby, unassigned
    }

    /// A partition of payloads.
    public struct Payloads: Sendable, Codable, Equatable {
        /// Nil: its owner did not say.
        public var state: State?
        /// The instance's name.
        public var owner: String?
        public var url: String?
        public var offsets: Offsets
        /// Offsets of the changelog that the store does not have yet; nil where there is none that is known of.
        public var restoreRemaining: Int64?
        /// In its store; nil where there is none here.
        public var payloads: Int?
        /// The instances that stand by for it, by name.
        public var standbys: [Standby]

        public init(
            state: State?,
            owner: String?,
            url: String?,
            offsets: Offsets,
            restoreRemaining: Int64?,
            payloads: Int?,
            standbys: [Standby] = []
        ) {
            self.state = state
            self.owner = owner
            self.url = url
            self.offsets = offsets
            self.restoreRemaining = restoreRemaining
            self.payloads = payloads
            self.standbys = standbys
        }

        private enum CodingKeys: String, CodingKey {
            case state, owner, url, payloads, standbys
            case restoreRemaining = "restore_remaining"
        }

        public init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            state = try container.decodeIfPresent(State.self, forKey: .state)
            owner = try container.decodeIfPresent(String.self, forKey: .owner)
            url = try container.decodeIfPresent(String.self, forKey: .url)
            offsets = try Offsets(from: decoder)
            restoreRemaining = try container.decodeIfPresent(Int64.self, forKey: .restoreRemaining)
            payloads = try container.decodeIfPresent(Int.self, forKey: .payloads)
            // An instance of an earlier version tells of none.
            standbys = try container.decodeIfPresent([Standby].self, forKey: .standbys) ?? []
        }

        /// With the offsets beside the other fields; what is not known is null.
        public func encode(to encoder: any Encoder) throws {
            try offsets.encode(to: encoder)
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(state, forKey: .state)
            try container.encode(owner, forKey: .owner)
            try container.encode(url, forKey: .url)
            try container.encode(restoreRemaining, forKey: .restoreRemaining)
            try container.encode(payloads, forKey: .payloads)
            try container.encode(standbys, forKey: .standbys)
        }
    }

    /// A copy of a partition's state that another instance than its owner keeps.
    public struct Standby: Sendable, Codable, Equatable {
        /// The instance's name.
        public var instance: String
        public var url: String?
        /// The next offset of the changelog that the copy does not hold.
        public var position: Int64
        /// Offsets of the changelog that it lacks, as far as it knows.
        public var lag: Int64
        /// It has once been at the changelog's end, so that it can answer.
        public var isComplete: Bool

        public init(instance: String, url: String?, position: Int64, lag: Int64, isComplete: Bool) {
            self.instance = instance
            self.url = url
            self.position = position
            self.lag = lag
            self.isComplete = isComplete
        }

        private enum CodingKeys: String, CodingKey {
            case instance, url, position, lag
            case isComplete = "complete"
        }
    }

    /// How far a partition of a topic has been read.
    public struct Offsets: Sendable, Codable, Equatable {
        public var partition: Int32
        /// The next offset to process; of a standby: of the changelog.
        public var position: Int64?
        public var endOffset: Int64?

        public init(partition: Int32, position: Int64?, endOffset: Int64?) {
            self.partition = partition
            self.position = position
            self.endOffset = endOffset
        }

        private enum CodingKeys: String, CodingKey {
            case partition, position, lag
            case endOffset = "end_offset"
        }

        /// The lag follows from the rest.
        public init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            partition = try container.decode(Int32.self, forKey: .partition)
            position = try container.decodeIfPresent(Int64.self, forKey: .position)
            endOffset = try container.decodeIfPresent(Int64.self, forKey: .endOffset)
        }

        public func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(partition, forKey: .partition)
            try container.encode(position, forKey: .position)
            try container.encode(endOffset, forKey: .endOffset)
            try container.encode(lag, forKey: .lag)
        }

        /// Records that are still to be processed; nil: it is not known.
        public var lag: Int64? { endOffset.flatMap { end in position.map { max(end - $0, 0) } } }
    }

    /// By partition.
    public var data: [Payloads]
    /// Of the input topic, by partition.
    public var input: [Offsets]

    public init(data: [Payloads], input: [Offsets]) {
        self.data = data
        self.input = input
    }
}
