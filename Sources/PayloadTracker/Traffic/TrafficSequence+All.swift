// What services that really write to the topic say, read from their code: the order within a service is theirs, the times
// are illustrative. `success` is a service's end and not the payload's, steps go backwards, and words differ.

extension TrafficSequence {
    static let all = [
        rhelUpload, extractionFails, stagingFails, unreportingConsumer, openShift, openShiftRulesFail, compliance,
        inventoryRefuses, hostsDeleted, unendingTask,
    ]

    static let rhelUpload = TrafficSequence(
        name: "rhel-upload",
        ending: .completed,
        weight: 45,
        steps: uploaded(to: "advisor") + extracted + inventoried + [
            Step(3.4, "patchman", "received", "Received by listener"),
            Step(3.42, "vulnerability", "received", "system received from inventory, sending to grouper"),
            Step(3.5, "insights-engine", "received"),
            Step(3.9, "patchman", "processing", "processing"),
            Step(4.6, "patchman", "success", "advisories evaluation"),
            Step(6.0, "insights-engine", "success"),
            Step(6.1, "insights-advisor-service", "received", "Processing engine results", source: "insights-client"),
            Step(6.15, "vulnerability", "received"),
            Step(6.16, "vulnerability", "processing"),
            Step(6.7, "insights-advisor-service", "success", source: "insights-client"),
            Step(7.9, "vulnerability", "success", "evaluation succeeded"),
        ]
    )

    /// The last message is a success, and still the payload failed.
    static let extractionFails = TrafficSequence(
        name: "extraction-fails",
        ending: .failed,
        weight: 6,
        steps: uploaded(to: "advisor") + [
            Step(0.24, "puptoo", "received", "Received message"),
            Step(1.2, "puptoo", "error", "Unable to extract facts of advisor service: no such archive member"),
            Step(1.2, "puptoo", "failed", "Validation failure. Message sent to storage broker"),
            Step(1.3, "storage-broker", "received"),
            Step(1.31, "storage-broker", "received"),
            Step(1.6, "storage-broker", "success", "copied payload to insights-dev-upload-rejected"),
        ]
    )

    static let stagingFails = TrafficSequence(
        name: "staging-fails",
        ending: .stalled,
        weight: 3,
        steps: [Step(0, "ingress", "received", "Payload received by ingress")]
    )

    static let unreportingConsumer = TrafficSequence(
        name: "unreporting-consumer",
        ending: .completed,
        weight: 5,
        steps: uploaded(to: "playbook")
    )

    static let openShift = TrafficSequence(
        name: "openshift",
        ending: .completed,
        weight: 20,
        steps: uploaded(to: "openshift") + [
            Step(0.3, "storage-broker", "received", "received message from openshift"),
            Step(0.35, "ccx-data-pipeline", "received"),
            Step(0.8, "ccx-data-pipeline", "processing"),
            Step(0.9, "storage-broker", "success"),
            Step(3.1, "ccx-data-pipeline", "success"),
            Step(3.3, "insights-results-db-writer", "received"),
            Step(3.35, "insights-results-db-writer", "processed"),
            Step(3.36, "insights-results-db-writer", "success"),
        ]
    )

    static let openShiftRulesFail = TrafficSequence(
        name: "openshift-rules-fail",
        ending: .failed,
        weight: 4,
        steps: uploaded(to: "openshift") + [
            Step(0.3, "storage-broker", "received", "received message from openshift"),
            Step(0.35, "ccx-data-pipeline", "received"),
            Step(0.8, "ccx-data-pipeline", "processing"),
            Step(3.1, "ccx-data-pipeline", "error", "JSONDecodeError('Expecting value: line 1 column 1 (char 0)')"),
            Step(3.4, "storage-broker", "success"),
        ]
    )

    /// Two reports in one upload. What `compliance-inventory` receives, `compliance-goodjob` finishes.
    static let compliance = TrafficSequence(
        name: "compliance",
        ending: .completed,
        weight: 5,
        steps: uploaded(to: "compliance") + extracted + inventoried + [
            Step(3.3, "storage-broker", "received"),
            Step(3.31, "storage-broker", "received"),
            complianceStep(3.4, "received", "File of rhel-8-host is valid. Job 11 enqueued", "inventory"),
            complianceStep(3.45, "received", "File of rhel-8-host is valid. Job 12 enqueued", "inventory"),
            Step(3.6, "storage-broker", "success"),
            complianceStep(3.7, "processing", "Job 11 is now processing", "goodjob"),
            complianceStep(3.75, "processing", "Job 12 is now processing", "goodjob"),
            complianceStep(4.9, "success", "Job 12 has completed successfully", "goodjob"),
            complianceStep(5.2, "success", "Job 11 has completed successfully", "goodjob"),
        ]
    )

    static let inventoryRefuses = TrafficSequence(
        name: "inventory-refuses",
        ending: .failed,
        weight: 4,
        steps: uploaded(to: "advisor") + extracted + [
            Step(3.05, "inventory-mq-service", "received", "message received"),
            Step(
                3.12,
                "inventory-mq-service",
                "error",
                "ValidationException encountered in (handle_message): insights_id must be a UUID"
            ),
        ]
    )

    /// Through the API, without an upload: ingress never sees it.
    static let hostsDeleted = TrafficSequence(
        name: "hosts-deleted",
        ending: .completed,
        weight: 5,
        steps: [Step(0, "inventory", "received", "delete operation")]
            + (0..<3).flatMap { host in
                [
                    Step(0.1 + Double(host) * 0.05, "inventory", "processing", "deleted host", host: host),
                    Step(0.12 + Double(host) * 0.05, "inventory", "processing_success", host: host),
                ]
            } + [
                Step(0.3, "inventory", "success"),
                Step(0.35, "hsp-deleter", "received"),
                Step(0.4, "insights-advisor-service", "received", "Received DELETE event", source: "inventory"),
                Step(0.6, "hsp-deleter", "success"),
                Step(0.7, "insights-advisor-service", "success", source: "inventory"),
            ]
    )

    static let unendingTask = TrafficSequence(
        name: "unending-task",
        ending: .stalled,
        weight: 3,
        steps: uploaded(to: "tasks") + [Step(0.3, "tasks", "received", source: "rhc-worker-script")]
    )

    private static func uploaded(to validator: String) -> [Step] {
        [
            Step(0, "ingress", "received", "Payload received by ingress"),
            Step(0.18, "ingress", "success", "Sent to validation service: \(validator)"),
        ]
    }

    private static let extracted = [
        Step(0.24, "puptoo", "received", "Received message"),
        Step(2.9, "puptoo", "success", "Message sent to inventory"),
    ]

    /// Its steps go backwards: a success, and then more processing.
    private static let inventoried = [
        Step(3.05, "inventory-mq-service", "received", "message received"),
        Step(3.12, "inventory-mq-service", "success"),
        Step(3.18, "inventory-mq-service", "processing", "host operation complete", host: 0),
        Step(3.2, "inventory-mq-service", "processing_success", host: 0),
    ]

    private static func complianceStep(
        _ seconds: Double,
        _ status: String,
        _ message: String,
        _ source: String
    ) -> Step {
        Step(seconds, "compliance", status, message, source: "compliance-\(source)")
    }
}
