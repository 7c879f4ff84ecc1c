// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]

let package = Package(
    name: "payload-tracker",
    products: [
        .executable(name: "payload-tracker", targets: ["PayloadTracker"])
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.1"),
    ],
    targets: [
        // The C libraries, and the thinnest shims over them.
        .systemLibrary(name: "CRdKafka", pkgConfig: "rdkafka", providers: [.apt(["librdkafka-dev"])]),
        .systemLibrary(name: "CRocksDB", pkgConfig: "rocksdb", providers: [.apt(["librocksdb-dev"])]),
        .target(
            name: "CRocksMemory",
            dependencies: ["CRocksDB"],
            linkerSettings: [.linkedLibrary("rocksdb"), .linkedLibrary("stdc++")]
        ),
        .target(
            name: "CSimdJSON",
            // Without it simdjson checks at each step that it is used rightly.
            cxxSettings: [.unsafeFlags(["-O2"]), .define("NDEBUG")],
            linkerSettings: [.linkedLibrary("simdjson"), .linkedLibrary("stdc++")]
        ),

        .target(name: "KafkaClient", dependencies: ["CRdKafka"], swiftSettings: strict),
        .target(name: "RocksStore", dependencies: ["CRocksDB", "CRocksMemory"], swiftSettings: strict),
        .target(name: "PayloadModel", dependencies: ["CSimdJSON"], swiftSettings: strict),
        .target(
            name: "StreamRuntime",
            dependencies: [
                "KafkaClient", "RocksStore",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "PayloadTopology",
            dependencies: [
                "PayloadModel", "StreamRuntime", "KafkaClient", "RocksStore",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
            ],
            exclude: ["payload_state.proto"],
            swiftSettings: strict
        ),
        .target(
            name: "QueryService",
            dependencies: [
                "PayloadModel",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HummingbirdTLS", package: "hummingbird"),
                .product(name: "JWTKit", package: "jwt-kit"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            // In the code, so that the program stays a single file that can be copied anywhere.
            resources: ["html", "css", "js"].map { .embedInCode("Page/page.\($0)") },
            swiftSettings: strict
        ),
        .target(name: "SeededRandom", swiftSettings: strict),
        .executableTarget(
            name: "PayloadTracker",
            dependencies: [
                "KafkaClient", "PayloadModel", "PayloadTopology", "QueryService", "RocksStore", "SeededRandom",
                "StreamRuntime",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: strict,
            // For malloc: RocksDB and librdkafka free on other threads than they allocate on, which glibc's answers with fragments.
            linkerSettings: [.linkedLibrary("jemalloc")]
        ),

        // What `benchmarks/hot-path` counts the instructions of.
        .executableTarget(
            name: "HotPath",
            dependencies: ["PayloadModel", "PayloadTopology"],
            swiftSettings: strict
        ),

        .testTarget(name: "KafkaClientTests", dependencies: ["KafkaClient"], swiftSettings: strict),
        .testTarget(name: "RocksStoreTests", dependencies: ["RocksStore", "SeededRandom"], swiftSettings: strict),
        .testTarget(name: "PayloadModelTests", dependencies: ["PayloadModel", "SeededRandom"], swiftSettings: strict),
        .testTarget(
            name: "StreamRuntimeTests",
            dependencies: [
                "StreamRuntime", "KafkaClient", "RocksStore",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "PayloadTopologyTests",
            dependencies: [
                "PayloadTopology", "PayloadModel", "StreamRuntime", "KafkaClient", "RocksStore", "SeededRandom",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "MetricsTestKit", package: "swift-metrics"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "QueryServiceTests",
            dependencies: [
                "QueryService", "PayloadModel", "SeededRandom",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdTesting", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "PayloadTrackerTests",
            dependencies: [
                "PayloadTracker", "KafkaClient", "PayloadModel", "QueryService", "SeededRandom",
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict
        ),
    ],
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .cxx17
)
