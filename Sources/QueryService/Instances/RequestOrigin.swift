import HTTPTypes

/// Who asks.
enum RequestOrigin {
    /// A client: any instance may be asked on its behalf.
    case client
    /// Another instance, which took this one for the owner: it is answered from here or not at all, so that no request goes in circles.
    case instance

    /// Throws for a request that claims to come from an instance without showing the secret.
    ///
    /// - Parameter isOpen: whether anyone may claim it where there is no secret.
    init(_ headers: HTTPFields, secret: PeerSecret?, isOpen: Bool) throws(Problem) {
        guard headers[.trackerInstance] != nil else {
            self = .client
            return
        }
        let isKnown = secret.map { secret in headers[.trackerSecret].map(secret.matches) ?? false } ?? isOpen
        guard isKnown else {
            throw Problem(
                status: .forbidden,
                detail: "only an instance that knows http.peer-secret may ask like this"
            )
        }
        self = .instance
    }

    /// What only an instance may add to a question about a payload: it tells of one organisation's alone. An instance that does not know the
    /// parameter yet answers with a 400, and so with nothing that the client may not see.
    var parameters: Set<String> { self == .instance ? ["org_id"] : [] }
}

extension HTTPField.Name {
    /// The name of the instance that asks on behalf of a client.
    static let trackerInstance = known("Payload-Tracker-Instance")
    static let trackerSecret = known("Payload-Tracker-Peer-Secret")

    private static func known(_ name: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(name) else { preconditionFailure("\(name) is no name of a header") }
        return name
    }
}
