/// Messages that wait for their time: the earliest first, and of those with the same time the one that came first. A
/// binary heap.
struct TrafficQueue {
    private struct Entry {
        let order: Int
        let message: TrafficMessage

        func precedes(_ other: Entry) -> Bool {
            (message.time, order) < (other.message.time, other.order)
        }
    }

    private var heap: [Entry] = []
    private var insertions = 0

    var first: TrafficMessage? { heap.first?.message }

    mutating func insert(_ message: TrafficMessage) {
        var child = heap.count
        heap.append(Entry(order: insertions, message: message))
        insertions += 1
        while child > 0, heap[child].precedes(heap[(child - 1) / 2]) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func removeFirst() -> TrafficMessage? {
        guard let last = heap.popLast() else { return nil }
        guard let first = heap.first else { return last.message }
        heap[0] = last
        sink()
        return first.message
    }

    private mutating func sink() {
        var parent = 0
        while true {
            var earliest = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < heap.count && heap[child].precedes(heap[earliest]) {
                earliest = child
            }
            if earliest == parent { return }
            heap.swapAt(earliest, parent)
            parent = earliest
        }
    }
}
