/// Returns once the condition holds, which nothing tells of: it is looked at again and again. The time limit of the test ends a wait for
/// what never comes.
func until(_ condition: () throws -> Bool) async throws {
    while try !condition() { try await Task.sleep(for: .milliseconds(10)) }
}
