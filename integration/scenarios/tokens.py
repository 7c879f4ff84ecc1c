"""The endpoint with tokens: who may ask what."""

from __future__ import annotations

import json

from checks import Checks
from scenarios import Context, scenario
from scenarios.configuration import refusal_problems, serve_fails
from scenarios.http_rules import problem_problems
from scenarios.instances import SECRET, start_instance
from tracker import Tracker

READING, SCRAPING, TENANT, LATER = (f"{name}-token-0123456789" for name in ("reading", "scraping", "tenant", "later"))
FILE = f"{READING} read\n{SCRAPING} metrics\n{TENANT} read org_id=1\n"
# It is looked at every 5 s.
CHANGE_SECONDS = 20


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def status(tracker: Tracker, path: str, token: str | None = None) -> int:
    return tracker.request(path, headers=bearer(token) if token else {}).status


@scenario("topics")
def tokens(context: Context) -> None:
    """An organisation would read another's payloads, or a stranger everyone's."""
    app = context.app(partitions=6).create_input()
    path = app.directory / "tokens"
    path.write_text(FILE)
    settings = {"http_tokens__file": path, "http_peer__secret": SECRET}
    trackers = [start_instance(app, number, **settings).wait_until_ready() for number in range(2)]
    ids = {f"{org}-{number}": org for org in ("1", "2") for number in range(8)}
    for payload_id, org in ids.items():
        fields = {"payload_id": payload_id, "service": "ingress", "status": "received", "org_id": org}
        app.send(json.dumps(fields | {"date": "2024-01-02T03:04:05Z"}).encode())
    for payload_id in ids:
        trackers[0].wait_for(
            lambda payload_id=payload_id: status(trackers[0], f"/v1/payloads/{payload_id}", READING) == 200,
            f"to know {payload_id}",
        )
    checks = Checks()
    for tracker in trackers:
        checks.equal("without a token", status(tracker, "/v1/payloads"), 401)
        checks.equal("with an unknown one", status(tracker, "/v1/payloads", LATER), 401)
        checks.equal("the page", status(tracker, "/"), 200)
        checks.equal("metrics for a reader", status(tracker, "/metrics", READING), 403)
        checks.equal("metrics for Prometheus", status(tracker, "/metrics", SCRAPING), 200)
        claims = {"Payload-Tracker-Instance": "x", "Payload-Tracker-Peer-Secret": SECRET[:-1] + "x"}
        checks.equal("as an instance", tracker.request("/v1/payloads", headers=claims).status, 403)
        for payload_id, org in ids.items():
            for rest in ("", "/statuses", "?stale=allowed"):
                expected = 200 if org == "1" else 404
                target = f"/v1/payloads/{payload_id}{rest}"
                checks.equal(f"{target} for organisation 1", status(tracker, target, TENANT), expected)
        for target in ("/v1/payloads", "/v1/payloads?stale=allowed", "/api/v1/payloads"):
            listed = tracker.request(target, headers=bearer(TENANT)).json["data"]
            checks.equal(f"{target} for organisation 1", sorted(each["org_id"] for each in listed), ["1"] * 8)
        everyones = tracker.request("/v1/payloads", headers=bearer(READING)).json["data"]
        checks.equal("list for all", len(everyones), len(ids))
        checks.equal("summary for organisation 1", status(tracker, "/v1/summary", TENANT), 403)
        checks.equal("summary for all", status(tracker, "/v1/summary", READING), 200)
    url = f"http://127.0.0.1:{trackers[0].port}"
    for token, code in ((READING, 0), (None, 1)):
        shown = app.command("get", "1-0", "--url", url, settings={"http.token": token})
        checks.equal(f"get with {token} {shown.stderr[:300]!r}: exit code", shown.returncode, code)
    path.write_text(FILE.replace(READING, LATER))
    trackers[0].wait_for(
        lambda: (
            status(trackers[0], "/v1/payloads", LATER) == 200 and status(trackers[0], "/v1/payloads", READING) == 401
        ),
        "to read the file again",
        CHANGE_SECONDS,
    )
    for tracker in trackers:
        log = tracker.log_text()
        checks.that(
            not any(token in log for token in (READING, SCRAPING, TENANT, LATER, SECRET)), "a secret is in the log"
        )
    checks.done()


@scenario("topics")
def request_rates(context: Context) -> None:
    """One client that asks without end would take the endpoint from the others."""
    app = context.app().create_input()
    checks = Checks()
    alone = serve_fails(app, {"http.rate-limit": 1})
    checks.extend(refusal_problems("a rate without a peer secret", alone, "http.peer-secret"))
    tracker = app.start(http_rate__limit=1, http_peer__secret=SECRET).wait_until_ready()
    answers = [tracker.request("/v1/payloads/none") for _ in range(50)]
    refused = [answer for answer in answers if answer.status == 429]
    # The burst, and what time grants meanwhile.
    checks.that(5 <= len(answers) - len(refused) < 25, f"{len(refused)} of {len(answers)} requests are refused")
    for answer in refused[:1]:
        checks.extend(problem_problems("one request too many", answer, 429))
        checks.that(answer.headers.get("retry-after") == "1", f"Retry-After is {answer.headers.get('retry-after')}")
    for path in ("/healthz", "/readyz", "/metrics"):
        checks.equal(path, {status(tracker, path) for _ in range(20)}, {200})
    checks.done()
