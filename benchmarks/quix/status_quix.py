"""The tracker's job in Quix Streams: repartition by payload id, fold into a state for each, tell its outcomes.

As whoever knows Quix would write it: its JSON (orjson), one read and one write of the state for each message."""

from __future__ import annotations

import argparse

from quixstreams import Application, State

RANKS = {"received": 0, "success": 2, "processing_success": 2, "invalid": 3, "error": 4, "failed": 4, "failure": 4}
ATTRIBUTES = ("account", "org_id", "inventory_id", "system_id")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("bootstrap", "application", "input", "outcomes", "state", "guarantee", "completed"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--commit-ms", type=int, required=True)
    return parser.parse_args()


def fold(message: dict, state: State, told: tuple[str, ...]) -> dict | None:
    """The outcome event of the change that the message made, None if there is none."""
    payload = state.get("payload") or {
        "entries": [],
        "stages": {},
        "sets": {},
        "outcome": "open",
        "revision": 0,
        "newest": "",
    }
    date, rank = message["date"], RANKS.get(message["status"], 1)
    stage = f"{message['service']}\0{message.get('source', '')}"
    entry = [stage, message["status"], date, message.get("status_msg")]
    values = [(name, message[name]) for name in ATTRIBUTES if message.get(name)]
    is_known = entry in payload["entries"]
    if is_known and all(value in payload["sets"].get(name, ()) for name, value in values):
        return None
    for name, value in values:
        known = payload["sets"].setdefault(name, [])
        if value not in known:
            known.append(value)
    if not is_known:
        payload["entries"].append(entry)
        payload["stages"][stage] = max(payload["stages"].get(stage, ["", 0]), [date, rank])
        payload["newest"] = max(payload["newest"], date)
    outcome = outcome_of(payload["stages"])
    event = None
    if outcome != payload["outcome"]:
        payload["outcome"] = outcome
        if outcome in told:
            payload["revision"] += 1
            event = event_of(message["request_id"], payload)
    state.set("payload", payload)
    return event


def outcome_of(stages: dict[str, list]) -> str:
    ranks = [rank for _, rank in stages.values()]
    if max(ranks) > 2:
        return "failed"
    return "completed" if min(ranks) == 2 else "open"


def event_of(payload_id: str, payload: dict) -> dict:
    revision = payload["revision"]
    return {
        "id": f"{payload_id}:{revision}",
        "type": f"payload-{payload['outcome']}",
        "revision": revision,
        "payload_id": payload_id,
        "ended_at": payload["newest"],
    }


def main() -> None:
    options = arguments()
    application = Application(
        broker_address=options.bootstrap,
        consumer_group=options.application,
        auto_offset_reset="earliest",
        processing_guarantee=options.guarantee.replace("exactly_once", "exactly-once").replace(
            "at_least_once", "at-least-once"
        ),
        commit_interval=options.commit_ms / 1000,
        commit_every=0,
        state_dir=options.state,
        producer_extra_config={"compression.type": "lz4", "linger.ms": 5},
        consumer_extra_config={"fetch.wait.max.ms": 10},
        loglevel="WARNING",
    )
    told = ("failed", "completed") if options.completed == "told" else ("failed",)
    frame = application.dataframe(application.topic(options.input, value_deserializer="json"))
    frame = frame.group_by("request_id")
    frame = frame.apply(lambda message, state: fold(message, state, told), stateful=True)
    frame = frame.filter(lambda event: event is not None)
    frame.to_topic(application.topic(options.outcomes, value_serializer="json"))
    application.run()


if __name__ == "__main__":
    main()
