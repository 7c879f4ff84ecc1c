"""Several instances of one application: any of them answers any question, whoever comes and goes."""

from __future__ import annotations

import re
import time
from http.client import HTTPException

import sequences
from app import App
from checks import Checks, Failed, documents_converge
from message import Rules
from model import Payload
from scenarios import Context, scenario
from scenarios.http_rules import problem_problems
from scenarios.lifecycles import send_anywhere
from scenarios.lists import expected_ids, list_problems, listed
from tracker import Answer, Tracker

PAYLOADS = 40
PARTITIONS = 6
SECRET = "correct-horse-battery-staple"
# How long lookups of some payloads may go without an answer: the session's timeout, the rebalance, opening the stores.
CRASH_SECONDS = 25
STOP_SECONDS = 15
# After a crash, until standbys have answered for everything.
STALE_SECONDS = 2


def start_instance(app: App, number: int, **settings: object) -> Tracker:
    return app.start(state_dir=app.directory / f"state-{number}", **settings)


def start_instances(app: App, count: int, **settings: object) -> list[Tracker]:
    """Instances that have divided the partitions among them."""
    trackers = [start_instance(app, number, **settings) for number in range(count)]
    for tracker in trackers:
        tracker.wait_until_ready()
    wait_until_divided(app, trackers)
    return trackers


def rows(tracker: Tracker, query: str = "") -> list[dict]:
    answer = tracker.request(f"/v1/partitions{query}")
    if answer.status != 200:
        raise Failed(f"/v1/partitions{query}: {answer.status} {answer.body[:300]!r}")
    return answer.json["data"]


def urls(trackers: list[Tracker]) -> set[str]:
    return {f"http://127.0.0.1:{tracker.port}" for tracker in trackers}


def wait_until_divided(app: App, trackers: list[Tracker], seconds: float = 60) -> None:
    """Until every instance sees that every partition runs on one of them, and each has one."""

    def divided(asked: Tracker) -> bool:
        found = rows(asked)
        running = [row for row in found if row["state"] == "running"]
        return len(running) == app.partitions and {row["url"] for row in running} == urls(trackers)

    for tracker in trackers:
        tracker.wait_for(lambda asked=tracker: divided(asked), "to see all partitions running", seconds)


def send_payloads(app: App) -> list[Payload]:
    makers = list(sequences.SEQUENCES.values())
    sent = [send_anywhere(app, makers[number % len(makers)](), Rules()) for number in range(PAYLOADS)]
    app.sender.flush()
    return [one.payload for one in sent]


def count_of_instances(context: Context) -> int:
    return 2 if context.broker.kind == "noida" else 3


def without(document: dict, *keys: str) -> dict:
    return {key: value for key, value in document.items() if key not in keys}


def same_answers(app: App, trackers: list[Tracker], payloads: list[Payload]) -> list[str]:
    """How answers differ between the instances, and from the model."""
    checks = Checks()
    for tracker in trackers:
        checks.extend(documents_converge(app, tracker, payloads))
    owners = set()
    for payload in payloads:
        first = trackers[0].payload(payload.payload_id).json
        owners.add(first["served_by"])
        history = trackers[0].statuses(payload.payload_id)
        for tracker in trackers[1:]:
            what = f"{payload.payload_id} as {tracker.port} tells it"
            checks.equal(what, tracker.payload(payload.payload_id).json, first)
            checks.equal(f"history of {what}", tracker.statuses(payload.payload_id), history)
            checks.equal(f"newest of {what}", tracker.statuses(payload.payload_id, 1), history[:1])
    checks.equal("instances that answers come from", owners, urls(trackers))
    return checks.problems


@scenario("topics", "transactions")
def lookups_from_anywhere(context: Context) -> None:
    """A client would have to know which of the instances has its payload."""
    app = context.app(PARTITIONS).create_input()
    payloads = send_payloads(app)
    trackers = start_instances(app, count_of_instances(context))
    checks = Checks()
    checks.extend(same_answers(app, trackers, payloads))
    for tracker in trackers:
        unknown = "0" * 32
        checks.extend(problem_problems("an unknown payload", tracker.payload(unknown), 404))
        checks.extend(problem_problems("its statuses", tracker.request(f"/v1/payloads/{unknown}/statuses"), 404))
        started = time.monotonic()
        checks.extend(problem_problems("an unknown payload", tracker.payload(unknown, "?wait=1s"), 404))
        took = time.monotonic() - started
        checks.that(0.9 < took < 4, f"waiting 1 s for an unknown payload took {took:.1f} s")
    for payload in payloads[:10]:
        checks.extend(local_problems(trackers, payload.payload_id))
    checks.extend(partition_problems(app, trackers, payloads))
    checks.done()


def local_problems(trackers: list[Tracker], payload_id: str) -> list[str]:
    """With local=true only the owner answers."""
    checks = Checks()
    path = f"/v1/payloads/{payload_id}"
    answers = [tracker.request(f"{path}?local=true") for tracker in trackers]
    checks.equal(f"owners of {payload_id}", sum(answer.status == 200 for answer in answers), 1)
    for tracker, answer in zip(trackers, answers):
        if answer.status == 200:
            checks.equal(f"served_by of {payload_id}", answer.json["served_by"], f"http://127.0.0.1:{tracker.port}")
        else:
            checks.extend(problem_problems(f"{path}?local=true", answer, 503))
            checks.that("retry-after" in answer.headers, f"{path}?local=true: no Retry-After")
            asked_for_another = tracker.request(path, headers={"Payload-Tracker-Instance": "test"})
            checks.extend(problem_problems(f"{path} from another instance", asked_for_another, 421))
        head = tracker.request(path, "HEAD")
        checks.equal(f"HEAD {path}", (head.status, head.body), (200, b""))
    return checks.problems


def partition_problems(app: App, trackers: list[Tracker], payloads: list[Payload]) -> list[str]:
    checks = Checks()
    moving = ("position", "end_offset", "lag", "standbys")
    told = [[without(row, *moving) for row in rows(tracker)] for tracker in trackers]
    checks.equal("partitions", [row["partition"] for row in told[0]], list(range(app.partitions)))
    for other in told[1:]:
        checks.equal("partitions as another instance tells them", other, told[0])
    checks.equal("names of owners", len({row["owner"] for row in told[0]}), len(trackers))
    for tracker in trackers:
        own = {row["partition"] for row in told[0] if row["url"] == f"http://127.0.0.1:{tracker.port}"}
        for row in rows(tracker, "?local=true"):
            expected = ("running",) if row["partition"] in own else ("unassigned", "standby")
            what = f"state of partition {row['partition']} at {tracker.port}"
            checks.that(row["state"] in expected, f"{what} is {row['state']}, not one of {expected}")
    positions = [row["position"] for row in trackers[0].request("/v1/partitions").json["input"]]
    checks.that(None not in positions, f"positions in the input topic are {positions}")
    counts = [row["payloads"] for row in told[0]]
    checks.that(None not in counts and sum(counts) >= len(payloads) // 2, f"payloads are {counts}")
    return checks.problems


class Watch:
    """Asks instances for payloads again and again. An answer is right, or a 503 that says why and when to come back; how long a
    payload went without an answer is kept."""

    def __init__(self, payloads: list[Payload]):
        self.expected = {payload.payload_id: payload for payload in payloads}
        self.checks = Checks()
        self.since: dict[tuple[int, str], float] = {}
        self.longest = 0.0
        self.reasons: set[str] = set()

    def ask(self, trackers: list[Tracker]) -> bool:
        """One round; whether all were answered."""
        answered = True
        for payload_id, payload in self.expected.items():
            for tracker in trackers:
                answered &= self.ask_one(tracker, payload_id, payload)
        return answered

    def ask_one(self, tracker: Tracker, payload_id: str, payload: Payload) -> bool:
        started = time.monotonic()
        try:
            answer = tracker.payload(payload_id)
        except (OSError, HTTPException) as error:
            self.checks.that(False, f"{payload_id} at {tracker.port}: {error!r}")
            return False
        took = time.monotonic() - started
        self.checks.that(took < 10, f"{payload_id} at {tracker.port}: answered after {took:.1f} s")
        key = (tracker.port, payload_id)
        if answer.status == 200:
            self.judge(answer, payload)
            if key in self.since:
                self.longest = max(self.longest, time.monotonic() - self.since.pop(key))
            return True
        self.since.setdefault(key, started)
        self.checks.extend(problem_problems(f"{payload_id} at {tracker.port}", answer, 503))
        self.checks.that("retry-after" in answer.headers, f"{payload_id} at {tracker.port}: no Retry-After")
        self.reasons.add(str(answer.json.get("detail"))[:100])
        return False

    def judge(self, answer: Answer, payload: Payload) -> None:
        expected = payload.document(payload.final_outcome())
        for key in ("payload_id", "status", "outcome"):
            self.checks.equal(f"{payload.payload_id}: {key}", answer.json[key], expected[key])

    def until_all_answer(self, trackers: list[Tracker], rounds: int, seconds: float) -> None:
        """Until so many rounds in a row were answered in full."""
        deadline = time.monotonic() + seconds
        good = 0
        while good < rounds:
            good = good + 1 if self.ask(trackers) else 0
            if time.monotonic() > deadline:
                raise Failed(f"after {seconds} s some lookups are not answered: {sorted(self.reasons)[:5]}")


@scenario("topics", "transactions", "takeover")
def lookups_while_an_instance_crashes(context: Context) -> None:
    """When one of three instances dies, lookups would hang, be wrong, or never be answered again."""
    app = context.app(PARTITIONS).create_input()
    payloads = send_payloads(app)
    trackers = start_instances(app, 3)
    checks = Checks()
    checks.extend(same_answers(app, trackers, payloads))
    watch = Watch(payloads)
    trackers[1].kill()
    rest = [trackers[0], trackers[2]]
    watch.ask(rest)
    watch.until_all_answer(rest, rounds=5, seconds=60)
    print(f"      crash: longest time without an answer {watch.longest:.1f} s", flush=True)
    checks.that(0 < watch.longest < CRASH_SECONDS, f"lookups went {watch.longest:.1f} s without an answer")
    checks.extend(watch.checks.problems)
    wait_until_divided(app, rest)
    checks.extend(same_answers(app, rest, payloads))
    checks.done()


@scenario("topics", "transactions")
def lookups_while_instances_come_and_go(context: Context) -> None:
    """While an instance stops and another one joins, lookups would hang, be wrong, or go unanswered for long."""
    app = context.app(PARTITIONS).create_input()
    payloads = send_payloads(app)
    trackers = start_instances(app, count_of_instances(context))
    checks = Checks()
    checks.extend(same_answers(app, trackers, payloads))
    watch = Watch(payloads)
    leaving = trackers.pop()
    leaving.send_signal(15)
    watch.ask(trackers)
    watch.until_all_answer(trackers, rounds=5, seconds=60)
    checks.equal("exit code of the instance that stopped", leaving.wait_for_exit(10), 0)
    print(f"      stop: longest time without an answer {watch.longest:.1f} s", flush=True)
    checks.that(watch.longest < STOP_SECONDS, f"after a stop lookups went {watch.longest:.1f} s without an answer")
    checks.extend(watch.checks.problems)
    checks.extend(same_answers(app, trackers, payloads))
    joining = start_instance(app, len(app.trackers))
    watch = Watch(payloads)
    deadline = time.monotonic() + 60
    while joining.status_of("/readyz") != 200 and time.monotonic() < deadline:
        watch.ask(trackers)
    trackers.append(joining)
    watch.until_all_answer(trackers, rounds=5, seconds=60)
    print(f"      join: longest time without an answer {watch.longest:.1f} s", flush=True)
    checks.that(watch.longest < STOP_SECONDS, f"after a join lookups went {watch.longest:.1f} s without an answer")
    checks.extend(watch.checks.problems)
    wait_until_divided(app, trackers)
    checks.extend(same_answers(app, trackers, payloads))
    checks.done()


@scenario("topics", "transactions")
def lists_from_anywhere(context: Context) -> None:
    """A list would lack payloads of other instances, repeat some, or not be in order."""
    app = context.app(PARTITIONS).create_input()
    payloads = send_payloads(app)
    trackers = start_instances(app, count_of_instances(context))
    checks = Checks()
    checks.extend(same_answers(app, trackers, payloads))
    for tracker in trackers:
        checks.extend(list_problems(context, tracker, payloads))
    own = [tracker.request("/v1/payloads?local=true&limit=500").json for tracker in trackers]
    told = sorted(document["payload_id"] for page in own for document in page["data"])
    checks.equal("what the instances list for themselves", told, sorted(payload.payload_id for payload in payloads))
    lacking = [set(page["missing_partitions"]) for page in own]
    checks.equal("partitions that nobody lists", set.intersection(*lacking), set())
    checks.done()


@scenario("topics", "transactions", "takeover")
def lists_while_an_instance_crashes(context: Context) -> None:
    """While an instance dies, a list would silently lack its payloads, or pages would repeat or skip some."""
    app = context.app(PARTITIONS).create_input()
    payloads = send_payloads(app)
    trackers = start_instances(app, 3)
    checks = Checks()
    checks.extend(same_answers(app, trackers, payloads))
    gone = {row["partition"] for row in rows(trackers[0]) if row["url"] in urls(trackers[1:2])}
    asked = trackers[0]
    before = asked.request("/v1/payloads?limit=10").json
    trackers[1].kill()
    answer = asked.request("/v1/payloads")
    if checks.equal("status of a list while a partition has no owner", answer.status, 503):
        checks.extend(problem_problems("a list while a partition has no owner", answer, 503))
    partial = asked.request("/v1/payloads?limit=500&partial=allowed").json
    checks.equal("partitions that a partial list lacks", set(partial["missing_partitions"]), gone)
    checks.that(all(document["partition"] not in gone for document in partial["data"]), "a partial list has too much")
    asked.wait_for(lambda: asked.status_of("/v1/payloads") == 200, "to list all partitions again", 60)
    expected = expected_ids(payloads, {})
    checks.equal("list after the crash", [d["payload_id"] for d in listed(asked, {}, 7)], expected)
    cursor, seen = before["next_cursor"], [document["payload_id"] for document in before["data"]]
    while cursor and len(seen) <= len(payloads):
        page = trackers[2].request(f"/v1/payloads?limit=10&cursor={cursor}").json
        seen += [document["payload_id"] for document in page["data"]]
        cursor = page["next_cursor"]
    checks.equal("list whose first page came before the crash", seen, expected)
    checks.done()


def wait_until_stood_by(tracker: Tracker) -> dict[int, str]:
    """The URL of each partition's standby, once there is one of each that lacks nothing."""
    found: dict[int, str] = {}

    def complete() -> bool:
        for row in rows(tracker):
            standbys = [one for one in row["standbys"] if one["complete"] and one["lag"] == 0]
            if len(standbys) != 1 or standbys[0]["url"] == row["url"]:
                return False
            found[row["partition"]] = standbys[0]["url"]
        return True

    tracker.wait_for(complete, "to see a standby of every partition")
    return found


def stale_problems(trackers: list[Tracker], payloads: list[Payload], before: dict, since: float) -> list[str]:
    """Whether every payload is answered at once with what its standby has."""
    checks = Checks()
    for tracker in trackers:
        for payload in payloads:
            path = f"/v1/payloads/{payload.payload_id}"
            answer = tracker.request(f"{path}?stale=allowed")
            if not checks.equal(f"status of {path} at {tracker.port}", answer.status, 200):
                continue
            document = without(answer.json, "served_by", "staleness_records")
            checks.equal(f"{path} at {tracker.port}", document, before[payload.payload_id])
            checks.that(answer.json["served_by"] in urls(trackers), f"{path} is served by {answer.json['served_by']}")
            checks.that(answer.json["staleness_records"] >= 0, f"{path} is {answer.json['staleness_records']} behind")
            statuses = tracker.request(f"{path}/statuses?stale=allowed")
            checks.equal(f"status of {path}/statuses at {tracker.port}", statuses.status, 200)
            checks.that("staleness_records" in statuses.json, f"{path}/statuses does not say how stale it is")
    took = time.monotonic() - since
    print(f"      stale: all payloads answered by all instances {took:.1f} s after the crash", flush=True)
    checks.that(took < STALE_SECONDS, f"stale answers took {took:.1f} s")
    return checks.problems


@scenario("topics", "transactions", "takeover")
def standbys_while_an_instance_crashes(context: Context) -> None:
    """Until a death is noticed, nobody could look its payloads up; and who gets the partitions would read them anew."""
    app = context.app(PARTITIONS).create_input()
    payloads = send_payloads(app)
    trackers = start_instances(app, 3)
    checks = Checks()
    checks.extend(same_answers(app, trackers, payloads))
    before = {}
    for payload in payloads:
        fresh = trackers[0].payload(payload.payload_id, "?stale=allowed").json
        checks.equal(f"staleness of {payload.payload_id} at its owner", fresh["staleness_records"], 0)
        before[payload.payload_id] = without(fresh, "served_by", "staleness_records")
    standbys = wait_until_stood_by(trackers[0])
    dead = urls(trackers[1:2])
    gone = {row["partition"] for row in rows(trackers[0]) if row["url"] in dead}
    rest = [trackers[0], trackers[2]]
    trackers[1].kill()
    checks.extend(stale_problems(rest, payloads, before, time.monotonic()))
    for tracker in rest:
        page = tracker.request("/v1/payloads?limit=500&stale=allowed").json
        checks.equal("a list with standbys", [d["payload_id"] for d in page["data"]], expected_ids(payloads, {}))
        checks.equal("partitions of standbys", {one["partition"] for one in page["standby_partitions"]}, gone)
        states = {row["partition"]: row["state"] for row in rows(tracker)}
        checks.equal("partitions that only a standby has", {p for p in states if states[p] == "standby"}, gone)
    wait_until_divided(app, rest)
    landed = {row["partition"] for row in rows(rest[0]) if row["url"] == standbys[row["partition"]]} & gone
    checks.equal("partitions that landed on their standbys", landed, gone)
    for tracker in rest:
        for partition, offset in restored_from(tracker):
            checks.that(partition not in gone or offset > 0, f"partition {partition} was read anew at {tracker.port}")
    checks.extend(same_answers(app, rest, payloads))
    checks.done()


def restored_from(tracker: Tracker) -> list[tuple[int, int]]:
    """Partition and offset of each restoration that is not a standby's."""
    line = re.compile(r"restored \d+ records .* of \S+-(\d+) from offset (\d+) in [0-9.e-]+ s$", re.MULTILINE)
    return [(int(partition), int(offset)) for partition, offset in line.findall(tracker.log_text())]


@scenario("topics", "transactions")
def secret_between_instances(context: Context) -> None:
    """Anyone could pass for an instance, or the secret would be shown to those who do not know it."""
    app = context.app(PARTITIONS).create_input()
    payloads = send_payloads(app)
    trackers = start_instances(app, 2, http_peer__secret=SECRET)
    checks = Checks()
    checks.extend(same_answers(app, trackers, payloads))
    path = f"/v1/payloads/{payloads[0].payload_id}"
    for secret in (None, "", SECRET[:-1], f"{SECRET}x"):
        forged = {"Payload-Tracker-Instance": "test"}
        if secret is not None:
            forged["Payload-Tracker-Peer-Secret"] = secret
        for tracker in trackers:
            answer = tracker.request(path, headers=forged)
            checks.extend(problem_problems(f"asking with the secret {secret!r}", answer, 403))
            checks.that(SECRET not in str(answer), "a refusal shows the secret")
    right = {"Payload-Tracker-Instance": "test", "Payload-Tracker-Peer-Secret": SECRET}
    statuses = sorted(tracker.request(path, headers=right).status for tracker in trackers)
    checks.equal("answers to one who knows the secret", statuses, [200, 421])
    for tracker in trackers:
        checks.that(SECRET not in tracker.log_text(), "the log shows the secret")
    checks.done()


@scenario("topics", "transactions", "static-members")
def static_member_at_another_address(context: Context) -> None:
    """A static member that comes back elsewhere could not be asked, and nobody would learn why."""
    app = context.app(PARTITIONS).create_input()
    payloads = send_payloads(app)
    names = ["one", "two"]
    trackers = [start_instance(app, number, group_instance_id=name) for number, name in enumerate(names)]
    for tracker in trackers:
        tracker.wait_until_ready()
    wait_until_divided(app, trackers)
    checks = Checks()
    trackers[1].kill()
    trackers[1] = start_instance(app, 1, group_instance_id=names[1]).wait_until_ready()
    checks.extend(documents_converge(app, trackers[1], payloads))
    told_of_it = "keep advertised.url the same" in trackers[1].log_text()
    watch = Watch(payloads)
    if not watch.ask(trackers[:1]):
        # The coordinator of a real Kafka goes on telling the address that the member joined with first.
        checks.that(told_of_it, f"lookups are not answered, and no log says why: {sorted(watch.reasons)[:3]}")
    checks.extend(watch.checks.problems)
    checks.done()
