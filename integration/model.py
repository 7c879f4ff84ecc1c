"""A payload as the contract's section 3 says, computed anew from the set of its messages each time it is asked.

Deliberately slow and simple: it shares nothing with the program it judges.
"""

from __future__ import annotations

from dataclasses import dataclass

from message import Entry, Message, Rules, rfc3339

RANK = {"received": 0, "processing": 1, "success": 2, "failure": 2, "invalid": 2}
TERMINAL_ORDER = {"success": 1, "invalid": 2, "failure": 3}
FAILING = ("failure", "invalid")
TERMINAL = ("success", "failure", "invalid")
MAX_STAGES = 256
MAX_RECOVERED = 20
MAX_IDS = 1000

StageKey = tuple[str, str | None]


def entry_order(entry: Entry):
    """The order that tells a stage's current entry: the greatest wins."""
    status_msg = (0, b"") if entry.status_msg is None else (1, entry.status_msg.encode())
    return (entry.date, RANK[entry.status], TERMINAL_ORDER.get(entry.status, 0), status_msg, entry.word.encode())


def source_order(source: str | None):
    return (0, b"") if source is None else (1, source.encode())


def history_order(entry: Entry):
    return (*entry_order(entry), entry.service.encode(), source_order(entry.source))


def oldest_first(entry: Entry):
    """The order of failed stages: what went wrong first comes first."""
    return (entry.date, entry.service.encode(), source_order(entry.source))


def stage_of(entry: Entry) -> StageKey:
    return entry.service, entry.source


def entry_json(entry: Entry) -> dict:
    return {
        "service": entry.service,
        "source": entry.source,
        "status": entry.status,
        "raw_status": entry.word,
        "status_msg": entry.status_msg,
        "date": rfc3339(entry.date),
    }


class OneOf:
    """A value where the contract leaves a choice: any of the options is right."""

    def __init__(self, *options):
        self.options = options

    def __eq__(self, other) -> bool:
        return other in self.options

    def __repr__(self) -> str:
        return repr(self.options[0])


class Payload:
    """The messages of one payload, and what follows from them as a set."""

    def __init__(self, payload_id: str, rules: Rules = Rules()):
        self.payload_id = payload_id
        self.rules = rules
        self.messages: set[Message] = set()

    def add(self, message: Message) -> bool:
        """Takes a message; whether its entry was new."""
        is_new = message.entry not in self.entries
        self.messages.add(message)
        return is_new

    @property
    def entries(self) -> set[Entry]:
        return {message.entry for message in self.messages}

    def stages(self) -> dict[StageKey, list[Entry]]:
        """Each stage's entries, oldest first."""
        stages: dict[StageKey, list[Entry]] = {}
        for entry in sorted(self.entries, key=entry_order):
            stages.setdefault(stage_of(entry), []).append(entry)
        return stages

    def current(self, entries: list[Entry]) -> Entry:
        if self.rules.sticky:
            failures = [entry for entry in entries if entry.status in FAILING]
            if failures:
                return failures[0]
        return entries[-1]

    def telling(self, entries: list[Entry]) -> Entry:
        """The first of the run of failures that a failed stage's history ends with."""
        if self.rules.sticky:
            return self.current(entries)
        telling = entries[-1]
        for entry in reversed(entries):
            if entry.status not in FAILING:
                break
            telling = entry
        return telling

    def handed_over(self, stages: dict[StageKey, list[Entry]]) -> set[StageKey]:
        currents = {key: self.current(entries) for key, entries in stages.items()}
        return {
            key
            for key, entry in currents.items()
            if entry.status == "received"
            and any(
                other != key
                and other[0] == key[0]
                and currents[other].status in TERMINAL
                and currents[other].date >= entry.date
                for other in currents
            )
        }

    def counted(self) -> dict[StageKey, list[Entry]]:
        """The stages that the payload's status is made of."""
        stages = self.stages()
        handed_over = self.handed_over(stages)
        return {
            key: entries
            for key, entries in stages.items()
            if key not in handed_over and key[0] not in self.rules.ignored
        }

    @property
    def status(self) -> str:
        statuses = {self.current(entries).status for entries in self.counted().values()}
        for failing in FAILING:
            if failing in statuses:
                return failing
        if statuses == {"success"}:
            return "success"
        return "received" if statuses <= {"received"} else "processing"

    @property
    def services(self) -> list[str]:
        return sorted({entry.service for entry in self.entries})

    @property
    def missing_services(self) -> list[str]:
        return [service for service in self.rules.required if service not in self.services]

    def failed_stages(self) -> list[Entry]:
        failed = [
            self.telling(entries) for entries in self.counted().values() if self.current(entries).status in FAILING
        ]
        return sorted(failed, key=oldest_first)

    def recovered_failures(self) -> list[Entry]:
        """Failures that their stages moved on from, also those before the run that a failed stage is in now, and those of
        stages that were handed over since: all that a stage of a service that is not ignored has recovered from."""
        recovered = []
        for key, entries in self.stages().items():
            if key[0] in self.rules.ignored or self.rules.sticky:
                continue
            others = [index for index, entry in enumerate(entries) if entry.status not in FAILING]
            before = entries[: others[-1]] if others else []
            recovered += [entry for entry in before if entry.status in FAILING]
        return sorted(recovered, key=history_order, reverse=True)[:MAX_RECOVERED]

    def reason(self, outcome: str) -> Entry | None:
        if outcome == "failed":
            return self.failed_stages()[0]
        if outcome == "stalled":
            waiting = [self.current(entries) for entries in self.counted().values()]
            waiting = [entry for entry in waiting if entry.status not in TERMINAL]
            return min(waiting, key=oldest_first, default=None)
        return None

    def history(self) -> list[Entry]:
        """Newest first, as `/statuses` gives it."""
        ordered = sorted(self.entries, key=history_order, reverse=True)
        stays = {self.current(entries) for entries in self.stages().values()}
        stays |= {self.telling(e) for e in self.stages().values() if self.current(e).status in FAILING}
        limit = self.rules.history_max_entries
        return [entry for i, entry in enumerate(ordered) if i < limit or entry in stays]

    def last_attribute(self, name: str) -> str | None:
        seen = [(m.entry.date, getattr(m, name).encode()) for m in self.messages if getattr(m, name)]
        return max(seen)[1].decode() if seen else None

    def id_set(self, name: str) -> tuple[list[str], bool]:
        """The ids seen at the latest dates, sorted, and whether others had to leave."""
        latest: dict[str, int] = {}
        for message in self.messages:
            if value := getattr(message, name):
                latest[value] = max(latest.get(value, message.entry.date), message.entry.date)
        kept = sorted(latest, key=lambda value: latest[value], reverse=True)[:MAX_IDS]
        return sorted(kept, key=str.encode), len(latest) > MAX_IDS

    def truncated(self) -> list[str]:
        cut = [f"{name}s" for name in ("inventory_id", "system_id") if self.id_set(name)[1]]
        return cut + (["history"] if len(self.history()) < len(self.entries) else [])

    def dates(self) -> tuple[int, int]:
        dates = [entry.date for entry in self.entries]
        return min(dates), max(dates)

    def next_outcome(self, outcome: str, is_new_entry: bool) -> str:
        """The outcome once a record has been folded, before any timer."""
        if self.status in FAILING:
            return "failed"
        if outcome == "completed" and self.status == "success":
            return "completed"
        if outcome == "stalled" and not is_new_entry:
            return "stalled"
        return "open"

    def outcome_at_rest(self, outcome: str) -> str:
        """The outcome once every timer has fired."""
        if outcome != "open" or not self.counted():
            return outcome
        if self.status == "success" and not self.missing_services:
            return "completed"
        return "stalled" if self.rules.stall_after else "open"

    def final_outcome(self) -> str:
        """The outcome that any order of arrival ends with, when nothing more comes (stalled payloads excepted that
        stall, are reopened and then complete: those end where their set of entries says, too)."""
        return "failed" if self.status in FAILING else self.outcome_at_rest("open")

    def stage_json(self) -> dict[StageKey, dict]:
        stages = self.stages()
        handed_over = self.handed_over(stages)
        kept = set(self.history())
        return {
            key: {
                **{k: v for k, v in entry_json(self.current(entries)).items() if k != "date"},
                "first_date": rfc3339(entries[0].date),
                "last_date": rfc3339(entries[-1].date),
                "duration_ms": (entries[-1].date - entries[0].date) // 1000,
                "entries": sum(1 for entry in entries if entry in kept),
                "handed_over": key in handed_over,
            }
            for key, entries in stages.items()
        }

    def summary(self, outcome: str) -> dict:
        """What a document and an outcome event have in common."""
        reason = self.reason(outcome)
        first, last = self.dates()
        return {
            "payload_id": self.payload_id,
            "status": self.status,
            "account": self.last_attribute("account"),
            "org_id": self.last_attribute("org_id"),
            "inventory_ids": self.id_set("inventory_id")[0],
            "system_ids": self.id_set("system_id")[0],
            "reason": entry_json(reason) if reason else None,
            "failed_stages": [entry_json(entry) for entry in self.failed_stages()],
            "recovered_failures": [entry_json(entry) for entry in self.recovered_failures()],
            "missing_services": self.missing_services,
            "started_at": rfc3339(first),
            "duration_ms": (last - first) // 1000,
        }

    def document(self, outcome: str) -> dict:
        return {
            **self.summary(outcome),
            "outcome": outcome,
            "updated_at": rfc3339(self.dates()[1]),
            "truncated": self.truncated(),
        }

    def event(self, outcome: str, revision: int) -> dict:
        return {
            **self.summary(outcome),
            "id": f"{self.payload_id}:{revision}",
            "type": f"payload-{outcome}",
            "revision": revision,
            "services": OneOf(self.services, [s for s in self.services if s not in self.rules.ignored]),
            "ended_at": rfc3339(self.dates()[1]),
        }


@dataclass
class Timeline:
    """One payload's records in the order of the log, and the outcome events that they make."""

    payload: Payload
    outcome: str = "open"

    def __post_init__(self):
        self.events: list[dict] = []

    def record(self, message: Message) -> None:
        is_new = self.payload.add(message)
        self.move_to(self.payload.next_outcome(self.outcome, is_new))

    def rest(self) -> None:
        """Nothing comes until every timer has fired."""
        self.move_to(self.payload.outcome_at_rest(self.outcome))

    def move_to(self, outcome: str) -> None:
        if outcome != self.outcome and outcome != "open":
            self.events.append(self.payload.event(outcome, len(self.events) + 1))
        self.outcome = outcome
