import PayloadTopology
import QueryService
import StreamRuntime
import Testing

@testable import PayloadTracker

@Suite(.timeLimit(.minutes(3))) struct WorkerHealthTests {
    @Test("who joins the group is not ready for a moment between joining and having tasks")
    func joining() async throws {
        let worker = try EmbeddedWorker(partitions: 2)
        defer { worker.close() }
        let application = worker.application
        let running = Task { try await application.run() }
        let topics = worker.settings.topics
        let asking = Task.detached {
            let health = WorkerHealth(application: application)
            // Without a pause, on a core of its own: the moment is short.
            while !health.readiness.ready { try Task.checkCancellation() }
            return [topics.input, topics.repartition].map { application.tasks.progress(topic: $0).count }
        }
        #expect(try await asking.value == [2, 2])
        application.requestStop()
        try await running.value
    }
}
