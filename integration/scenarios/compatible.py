"""The endpoints of payload-tracker-go, whose clients can be pointed here."""

from __future__ import annotations

from urllib.parse import quote

import sequences
from checks import Checks, documents_converge
from message import Rules
from scenarios import Context, scenario
from scenarios.instances import start_instances
from scenarios.lifecycles import send_anywhere
from tracker import Tracker

PAYLOADS = 60


def rows(tracker: Tracker, path: str, checks: Checks) -> list[dict]:
    answer = tracker.request(f"/api/v1/{path}")
    if not checks.equal(f"{path}: status {answer.body[:200]!r}", answer.status, 200):
        return []
    return answer.json["data"]


@scenario("topics", "transactions")
def clients_of_payload_tracker_go(context: Context) -> None:
    """Today's front-end and ingress could not be pointed here."""
    app = context.app(partitions=4).create_input()
    sent = [send_anywhere(app, sequences.random_steps(app.random), Rules()).payload for _ in range(PAYLOADS)]
    app.sender.flush()
    trackers = start_instances(app, 2)
    checks = Checks()
    checks.extend(documents_converge(app, trackers[0], sent))
    documents = {one.payload_id: trackers[0].document(one.payload_id) for one in sent}
    by_start = sorted(documents.values(), key=lambda document: document["started_at"], reverse=True)
    for tracker in trackers:
        listed = [row for page in range(6) for row in rows(tracker, f"payloads?page={page}", checks)]
        dates = [row["created_at"] for row in listed]
        checks.equal("dates of all pages", dates, [document["started_at"] for document in by_start])
        checks.equal("ids of all pages", {row["request_id"] for row in listed}, set(documents))
        for payload_id, document in list(documents.items())[:10]:
            history = trackers[0].statuses(payload_id)
            told = rows(tracker, f"payloads/{payload_id}", checks)
            checks.equal(f"statuses of {payload_id}", [r["date"] for r in told], [e["date"] for e in history])
            words = sorted((r["service"], r["status"], r["status_msg"] or "") for r in told)
            expected = sorted((e["service"], e["raw_status"], e["status_msg"] or "") for e in history)
            checks.equal(f"words of {payload_id}", words, expected)
            checks.equal(f"org_id of {payload_id}", {r["org_id"] for r in told}, {document["org_id"]})
        newest = rows(tracker, "statuses?page_size=20", checks)
        entries = [entry["date"] for one in sent for entry in trackers[0].statuses(one.payload_id)]
        checks.equal("newest statuses", [row["date"] for row in newest], sorted(entries, reverse=True)[:20])
        word = newest[0]["status"] if newest else ""
        found = rows(tracker, f"statuses?status={quote(word)}&sort_by=service&sort_dir=asc&page_size=50", checks)
        checks.equal(f"words of statuses at {word}", {row["status"] for row in found}, {word})
        checks.equal("their services", [row["service"] for row in found], sorted(row["service"] for row in found))
    unknown = trackers[0].request(f"/api/v1/payloads/{'0' * 32}")
    checks.equal("an unknown payload", (unknown.status, set(unknown.json)), (404, {"title", "message", "status"}))
    checks.done()
