import Foundation

/// Polls until `condition` holds; false if that takes unreasonably long.
func eventually(_ condition: () throws -> Bool, polling poll: () throws -> Void) rethrows -> Bool {
    let deadline = ContinuousClock.now + .seconds(60)
    while ContinuousClock.now < deadline {
        if try condition() { return true }
        try poll()
    }
    return try condition()
}

func eventually(_ condition: () throws -> Bool) rethrows -> Bool {
    try eventually(condition) { Thread.sleep(forTimeInterval: 0.01) }
}
