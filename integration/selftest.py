"""Checks of the runner itself: the model's laws, the partitioner, reading of messages, the broker. No program needed."""

from __future__ import annotations

import itertools
import json
import traceback
from functools import partial
from random import Random

from confluent_kafka import Producer

import sequences
from brokers import Broker
from message import Refused, Rules, date_of_text, read_message, rfc3339
from model import FAILING, Payload, Timeline
from partitioner import murmur2, partition_of
from records import Reader, Sender, Topics

BASE = 1_700_000_000_000_000


def messages_of(steps: list[sequences.Step], random: Random, rules: Rules = Rules()):
    values = sequences.message_values("ab" * 16, steps, BASE, random)
    return [read_message(value, 0, rules) for value in values]


def folded(messages, rules: Rules = Rules()) -> Payload:
    payload = Payload("ab" * 16, rules)
    for message in messages:
        payload.add(message)
    return payload


def test_any_order_gives_the_same_document(random: Random) -> None:
    for rules in (Rules(), Rules(sticky=True), Rules(ignored=("puptoo",)), Rules(required=("puptoo",))):
        for _ in range(100):
            messages = messages_of(sequences.random_steps(random), random, rules)
            payload = folded(messages, rules)
            random.shuffle(messages)
            again = folded(messages + messages[:3], rules)
            outcome = payload.final_outcome()
            assert again.document(outcome) == payload.document(outcome)
            assert again.history() == payload.history() and again.stage_json() == payload.stage_json()


def test_any_order_ends_with_the_same_outcome(random: Random) -> None:
    for _ in range(60):
        messages = messages_of(sequences.random_steps(random)[:5], random)
        for order in itertools.islice(itertools.permutations(messages), 60):
            timeline = Timeline(Payload("ab" * 16))
            for message in order:
                timeline.record(message)
            timeline.rest()
            assert timeline.outcome == timeline.payload.final_outcome()
            assert [event["revision"] for event in timeline.events] == list(range(1, len(timeline.events) + 1))


def test_sequences_end_as_they_are_known_to(random: Random) -> None:
    known = {
        "rhel-upload": "completed",
        "extraction-fails": "failed",
        "staging-fails": "stalled",
        "silent-consumer": "completed",
        "openshift-upload": "completed",
        "openshift-rules-fail": "failed",
        "compliance-two-reports": "completed",
        "inventory-refuses": "failed",
        "hosts-deleted": "completed",
        "endless-task": "stalled",
    }
    for name, outcome in known.items():
        payload = folded(messages_of(sequences.SEQUENCES[name](), random))
        assert payload.final_outcome() == outcome, (name, payload.final_outcome())
    failed = folded(messages_of(sequences.extraction_fails(), random))
    assert failed.failed_stages()[0].status_msg.startswith("Unable to extract facts")
    ignoring = Rules(ignored=("tasks",))
    assert folded(messages_of(sequences.endless_task(), random), ignoring).final_outcome() == "completed"
    handed = folded(messages_of(sequences.compliance_two_reports(), random)).stage_json()
    assert handed[("compliance", "compliance-inventory")]["handed_over"]


def test_random_sequences_reach_every_outcome(random: Random) -> None:
    payloads = [folded(messages_of(sequences.random_steps(random), random)) for _ in range(300)]
    assert {payload.final_outcome() for payload in payloads} == {"completed", "failed", "stalled"}
    assert any(payload.recovered_failures() for payload in payloads)
    assert any(any(stage["handed_over"] for stage in payload.stage_json().values()) for payload in payloads)
    sticky = [Payload("ab" * 16, Rules(sticky=True)) for _ in payloads]
    for one, payload in zip(sticky, payloads):
        one.messages = payload.messages
        assert one.status in FAILING or not any(e.status in FAILING for es in one.counted().values() for e in es)


def test_a_failure_reports_the_first_of_its_last_run(random: Random) -> None:
    step = sequences.Step
    steps = [step(1, "a", "error", "old"), step(2, "a", "success"), step(3, "a", "failed", "real")]
    payload = folded(messages_of([*steps, step(4, "a", "error", "general")], random))
    assert [entry.status_msg for entry in payload.failed_stages()] == ["real"]
    assert [entry.status_msg for entry in payload.recovered_failures()] == ["old"]


def test_dates_in_every_form_are_the_same_moment(random: Random) -> None:
    for micros in (BASE, BASE + 123_456, BASE + 999_999):
        for _ in range(50):
            fields = {"payload_id": "x", "service": "s", "status": "success"}
            fields["date"] = sequences.date_form(micros, random)
            assert read_message(json.dumps(fields).encode(), 0).entry.date == micros, fields
    assert rfc3339(date_of_text("2024-01-02T03:04:05.123456789+02:00")) == "2024-01-02T01:04:05.123456Z"
    assert date_of_text("2024-02-30T00:00:00Z") is None


def test_every_refusal_has_its_reason(random: Random) -> None:
    from scenarios.bad_input import refused_values

    for name, value, reason in refused_values():
        try:
            read_message(value, 0)
        except Refused as refused:
            assert refused.reason == reason, (name, refused.reason, reason)
        else:
            raise AssertionError(f"{name} was accepted")


def test_every_accepted_value_is_accepted(random: Random) -> None:
    from scenarios.bad_input import accepted_values

    for name, value in accepted_values():
        try:
            read_message(value, 0)
        except Refused as refused:
            raise AssertionError(f"{name}: {refused}") from None


def test_murmur2_is_java_s(random: Random) -> None:
    known = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536}
    known |= {b"a-little-bit-longer-string": -1486304829, b"abc": 479470107}
    for key, signed in known.items():
        assert murmur2(key) == signed & 0xFFFFFFFF, key
    assert 0 <= partition_of(b"", 6) < 6


def broker_keeps_what_was_sent(broker: Broker, random: Random) -> None:
    topic = f"selftest-{random.getrandbits(40):010x}"
    topics, sender = Topics(broker.bootstrap), Sender(broker.bootstrap)
    topics.create(topic, 3, retention_ms="-1", max_message_bytes=str(4 << 20))
    assert topics.config(topic)["retention.ms"] == "-1"
    large = random.randbytes(3 << 20)
    sender.send(topic, large, 0, key=b"\xff", headers=[("a", b"\x00"), ("a", None)], timestamp_ms=1_700_000_000_000)
    sender.send(topic, None, 1, key=b"")
    sent = sender.flush()
    reader = Reader(broker.bootstrap, topic)
    found = reader.read_at_least(2, 20)
    assert sorted(found, key=lambda r: r.partition) == sorted(sent, key=lambda r: r.partition), "records differ"
    reader.close()
    topics.add_partitions(topic, 5)
    topics.delete(topic)


def broker_places_keys_as_we_do(broker: Broker, random: Random) -> None:
    topic = f"selftest-{random.getrandbits(40):010x}"
    Topics(broker.bootstrap).create(topic, 7)
    producer = Producer({"bootstrap.servers": broker.bootstrap, "partitioner": "murmur2_random", "log_level": 0})
    placed: list[tuple[bytes, int]] = []
    for _ in range(200):
        on_delivery = lambda error, message: placed.append((message.key(), message.partition()))
        producer.produce(topic, b"", random.randbytes(random.randrange(1, 40)), on_delivery=on_delivery)
    producer.flush(20)
    assert len(placed) == 200 and all(partition_of(key, 7) == partition for key, partition in placed)


def broker_hides_aborted_transactions(broker: Broker, random: Random) -> None:
    topic = f"selftest-{random.getrandbits(40):010x}"
    Topics(broker.bootstrap).create(topic, 1)
    producer = Producer({"bootstrap.servers": broker.bootstrap, "transactional.id": topic, "log_level": 0})
    producer.init_transactions(20)
    for value, end in ((b"aborted", producer.abort_transaction), (b"committed", producer.commit_transaction)):
        producer.begin_transaction()
        producer.produce(topic, value)
        producer.flush(20)
        end(20)
    reader = Reader(broker.bootstrap, topic)
    reader.read_at_least(1, 20)
    assert [record.value for record in reader.read(1)] == [b"committed"]
    reader.close()


BROKER_TESTS = {
    broker_keeps_what_was_sent: "topics",
    broker_places_keys_as_we_do: "topics",
    broker_hides_aborted_transactions: "transactions",
}


def run(seed: int, broker: Broker) -> dict[str, int]:
    """Runs every test above, those of the broker too, as far as it claims to be able to; how many passed."""
    tests = {name: partial(test, Random(seed)) for name, test in globals().items() if name.startswith("test_")}
    for test, capability in BROKER_TESTS.items():
        if capability in broker.capabilities:
            tests[f"{test.__name__} ({broker.kind})"] = partial(test, broker, Random())
    failed = 0
    for name, test in tests.items():
        try:
            test()
            print(f"pass  {name}")
        except Exception:
            failed += 1
            print(f"FAIL  {name}:\n{traceback.format_exc()}")
    return {"passed": len(tests) - failed, "failed": failed, "skipped": 0}
