import Hummingbird
import NIOCore

/// A request's context, with the connection that it came on: a stream has to be able to give one up.
package struct QueryContext: RequestContext {
    package var coreContext: CoreRequestContextStorage
    let channel: any Channel

    package init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
    }
}
