"""How real services report: the ten sequences, random ones, and messages made of them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from random import Random

from message import rfc3339


@dataclass(frozen=True)
class Step:
    """One message: seconds after the upload, and what the service says."""

    at: float
    service: str
    status: str
    status_msg: str | None = None
    source: str | None = None
    more: dict = field(default_factory=dict, hash=False)


R, P, S, E = "received", "processing", "success", "error"
HOST = "c0ffee00-0000-4000-8000-{:012d}"


def ingress(topic: str, at: float = 0) -> list[Step]:
    return [
        Step(at, "ingress", R, "Payload received by ingress", more={"account": "540155", "org_id": "1979710"}),
        Step(at + 0.18, "ingress", S, f"Sent to validation service: {topic}"),
    ]


def puptoo_and_inventory() -> list[Step]:
    host = {"inventory_id": HOST.format(1), "system_id": HOST.format(2)}
    return [
        Step(0.24, "puptoo", R, "Received message"),
        Step(2.9, "puptoo", S, "Message sent to inventory"),
        Step(3.05, "inventory-mq-service", R, "message received"),
        Step(3.12, "inventory-mq-service", S, "message received"),
        Step(3.18, "inventory-mq-service", P, "host operation complete", more=host),
        Step(3.20, "inventory-mq-service", "processing_success", "host operation complete", more=host),
    ]


def rhel_upload() -> list[Step]:
    return [
        *ingress("advisor"),
        *puptoo_and_inventory(),
        Step(3.4, "patchman", R, "Received by listener"),
        Step(3.9, "patchman", P, "processing"),
        Step(4.6, "patchman", S, "advisories evaluation"),
        Step(3.42, "vulnerability", R, "system received from inventory, sending to grouper"),
        Step(6.15, "vulnerability", R, "system received by evaluator"),
        Step(6.16, "vulnerability", P, "evaluating"),
        Step(7.9, "vulnerability", S, "evaluation succeeded"),
        Step(3.5, "insights-engine", R),
        Step(6.0, "insights-engine", S),
        Step(6.1, "insights-advisor-service", R, "Processing engine results", "insights-client"),
        Step(6.7, "insights-advisor-service", S, None, "insights-client"),
    ]


def extraction_fails() -> list[Step]:
    return [
        *ingress("advisor"),
        Step(0.24, "puptoo", R, "Received message"),
        Step(1.2, "puptoo", E, "Unable to extract facts of advisor service: tarfile.ReadError"),
        Step(1.201, "puptoo", "failed", "Validation failure. Message sent to storage broker"),
        Step(1.3, "storage-broker", R, "received validation response"),
        Step(1.31, "storage-broker", R, "copying"),
        Step(1.6, "storage-broker", S, "copied payload to insights-dev-upload-rejected"),
    ]


def staging_fails() -> list[Step]:
    return ingress("advisor")[:1]


def silent_consumer() -> list[Step]:
    return ingress("playbook")


def openshift_upload() -> list[Step]:
    return [
        *ingress("openshift"),
        Step(0.3, "storage-broker", R, "received message from openshift"),
        Step(0.9, "storage-broker", S, "sent message to platform.upload.announce"),
        Step(0.35, "ccx-data-pipeline", R),
        Step(0.8, "ccx-data-pipeline", P),
        Step(3.1, "ccx-data-pipeline", S),
        Step(3.3, "insights-results-db-writer", R),
        Step(3.35, "insights-results-db-writer", "processed"),
        Step(3.36, "insights-results-db-writer", S),
    ]


def openshift_rules_fail() -> list[Step]:
    return [
        *(step for step in openshift_upload() if step.at < 1),
        Step(3.1, "ccx-data-pipeline", E, "ZeroDivisionError: division by zero in rule “etcd”"),
    ]


def compliance_two_reports() -> list[Step]:
    goodjob = "compliance-goodjob"
    return [
        *ingress("compliance"),
        *puptoo_and_inventory(),
        Step(4.0, "compliance", R, "File of u is valid. Job 11 enqueued", "compliance-inventory"),
        Step(4.1, "compliance", R, "File of u is valid. Job 12 enqueued", "compliance-inventory"),
        Step(5.0, "compliance", P, "Job 11 is now processing", goodjob),
        Step(5.1, "compliance", P, "Job 12 is now processing", goodjob),
        Step(7.0, "compliance", S, "Job 12 has completed successfully", goodjob),
        Step(7.2, "compliance", S, "Job 11 has completed successfully", goodjob),
        Step(3.0, "storage-broker", R, "received"),
        Step(3.1, "storage-broker", R, "received again"),
        Step(3.4, "storage-broker", S, "stored"),
    ]


def inventory_refuses() -> list[Step]:
    return [
        *ingress("advisor"),
        Step(0.24, "puptoo", R, "Received message"),
        Step(2.9, "puptoo", S, "Message sent to inventory"),
        Step(3.05, "inventory-mq-service", R, "message received"),
        Step(3.3, "inventory-mq-service", E, "ValidationException encountered in (handle_message): bad display_name"),
    ]


def hosts_deleted() -> list[Step]:
    deleted = [
        Step(0.1 + i / 100, "inventory", status, "deleted host", more={"inventory_id": HOST.format(i)})
        for i in range(5)
        for status in (P, "processing_success")
    ]
    return [
        Step(0, "inventory", R, "delete operation"),
        *deleted,
        Step(0.5, "inventory", S, "delete operation"),
        Step(0.6, "hsp-deleter", R),
        Step(0.8, "hsp-deleter", S),
        Step(0.7, "insights-advisor-service", R, "Received DELETE event", "inventory"),
        Step(0.9, "insights-advisor-service", S, None, "inventory"),
    ]


def endless_task() -> list[Step]:
    return [*ingress("tasks"), Step(1.0, "tasks", R, None, "rhc-worker-script")]


SEQUENCES = {
    make.__name__.replace("_", "-"): make
    for make in (
        rhel_upload,
        extraction_fails,
        staging_fails,
        silent_consumer,
        openshift_upload,
        openshift_rules_fail,
        compliance_two_reports,
        inventory_refuses,
        hosts_deleted,
        endless_task,
    )
}

SERVICES = ("ingress", "puptoo", "advisor", "compliance")
SOURCES = (None, None, "a", "b")
WORDS = (R, R, P, S, S, S, "processing_success", "validated", E, "failed", "invalid", "rejected")
NOTES = (None, "", "a", "b", "naïve – “…”", "line\nbreak")


def random_steps(random: Random) -> list[Step]:
    """Retries, equal dates, backward steps and hand-overs, by chance; a third of them end well everywhere."""
    steps = [
        Step(
            random.randrange(8),
            random.choice(SERVICES),
            random.choice(WORDS),
            random.choice(NOTES),
            random.choice(SOURCES),
            random_attributes(random),
        )
        for _ in range(random.randrange(1, 16))
    ]
    if random.random() < 0.35:
        steps += [Step(9, s.service, S, None, s.source) for s in steps]
    return steps


def random_attributes(random: Random) -> dict:
    choices = {
        "account": [None, "", "None", "540155", "540156", 540157],
        "org_id": [None, "null", "1979710", "1979711", 1979712],
        "inventory_id": [None, *(HOST.format(i) for i in range(4))],
        "system_id": [None, *(HOST.format(i) for i in range(4, 8))],
    }
    return {name: random.choice(values) for name, values in choices.items() if random.random() < 0.4}


def new_id(random: Random) -> str:
    return f"{random.getrandbits(128):032x}"


def id_form(payload_id: str, random: Random) -> str:
    """The same id as one producer or another writes it."""
    if len(payload_id) != 32:
        return payload_id
    p = payload_id
    dashed = f"{p[:8]}-{p[8:12]}-{p[12:16]}-{p[16:20]}-{p[20:]}"
    return random.choice([p, p, p, dashed, dashed.upper(), p.upper(), f"{{{dashed}}}", f" {p} "])


def date_form(micros: int, random: Random) -> str | float:
    """The same date as one producer or another writes it."""
    text = rfc3339(micros).removesuffix("Z")
    forms = [f"{text}Z", f"{text}999Z", f"{text}+00:00", text, text.replace("T", " "), f"{text}+0000"]
    forms += [f"{text} +00:00".replace("T", " "), f"{text}123456Z"]
    if micros % 1_000_000 == 0:
        forms += [text.removesuffix(".000000") + "Z", micros // 1_000_000, micros // 1000]
    return random.choice(forms)


def message_fields(payload_id: str, step: Step, base_micros: int, random: Random) -> dict:
    """The fields of one message, in a form that some producer uses."""
    written_id = id_form(payload_id, random)
    names = random.choice([("request_id",), ("payload_id",), ("payload_id", "request_id")])
    fields = {name: written_id for name in names}
    fields |= {"service": step.service, "status": random.choice([step.status, step.status, step.status.upper()])}
    if step.source is not None or random.random() < 0.2:
        fields["source"] = step.source
    if step.status_msg is not None or random.random() < 0.2:
        fields["status_msg"] = step.status_msg
    fields["date"] = date_form(base_micros + round(step.at * 1_000_000), random)
    return fields | step.more


def message_values(payload_id: str, steps: list[Step], base_micros: int, random: Random) -> list[bytes]:
    """The records' values of a payload, in the order of its steps."""
    return [
        json.dumps(message_fields(payload_id, step, base_micros, random), ensure_ascii=random.random() < 0.5).encode()
        for step in steps
    ]


def shuffled_with_duplicates(values: list[bytes], random: Random) -> list[bytes]:
    mixed = values + random.choices(values, k=len(values) // 3)
    random.shuffle(mixed)
    return mixed
