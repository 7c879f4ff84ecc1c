"""A status message read as the contract's section 2 says: what is accepted, and why the rest is refused."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from decimal import Decimal

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
MAX_VALUE_BYTES = 1 << 20
MAX_ID_BYTES = 256
MAX_SERVICE_BYTES = 128
MAX_ATTRIBUTE_BYTES = 256
ATTRIBUTES = ("source", "account", "org_id", "inventory_id", "system_id")
STATUSES = ("received", "processing", "success", "failure", "invalid")
DEFAULT_ALIASES = {
    "error": "failure",
    "failed": "failure",
    "processing_error": "failure",
    "rejected": "failure",
    "processing_success": "success",
    "successful": "success",
    "completed": "success",
    "recieved": "received",
    "processed": "processing",
    "validated": "processing",
    "announced": "processing",
    "advertised": "processing",
}
UUID = re.compile(r"[0-9a-f]{8}(-?)[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}")
DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:(Z)| ?([+-])(\d\d):?(\d\d))?", re.ASCII)


@dataclass(frozen=True)
class Rules:
    """The settings that change what a message or a payload means."""

    aliases: dict[str, str] = field(default_factory=dict)
    status_msg_max_bytes: int = 4096
    settle: float = 2
    stall_after: float = 6
    required: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    sticky: bool = False
    history_max_entries: int = 500


@dataclass(frozen=True)
class Entry:
    """A status entry: date in microseconds since 1970; `status` is what `word` maps to."""

    service: str
    source: str | None
    word: str
    status: str
    date: int
    status_msg: str | None


@dataclass(frozen=True)
class Message:
    payload_id: str
    entry: Entry
    account: str | None
    org_id: str | None
    inventory_id: str | None
    system_id: str | None


@dataclass(frozen=True)
class Number:
    """A JSON number, as the characters that were sent."""

    text: str


class Refused(Exception):
    """The record goes to the dead-letter topic for `reason`; `field` is the field it is about, if it is about one."""

    def __init__(self, reason: str, field: str | None = None):
        super().__init__(f"{reason} ({field})" if field else reason)
        self.reason = reason
        self.field = field


def read_message(value: bytes, timestamp_ms: int, rules: Rules = Rules()) -> Message:
    """The message in a record's value, or `Refused` for the first thing that is wrong with it."""
    fields = read_object(value)
    payload_id = read_id(fields)
    service = read_service(fields)
    word, status = read_status(fields, rules)
    attributes = {name: read_attribute(fields, name) for name in ATTRIBUTES}
    status_msg = read_status_msg(fields, rules)
    date = read_date(fields.get("date"), timestamp_ms)
    source = attributes.pop("source")
    entry = Entry(service, source.lower() if source else None, word, status, date, status_msg)
    return Message(payload_id, entry, **attributes)


def read_object(value: bytes) -> dict:
    if len(value) > MAX_VALUE_BYTES:
        raise Refused("too-large")
    try:
        parsed = json.loads(value.decode(), parse_int=Number, parse_float=Number, parse_constant=refuse_constant)
    except ValueError:
        raise Refused("not-json") from None
    if not isinstance(parsed, dict):
        raise Refused("not-an-object")
    return parsed


def refuse_constant(name: str):
    raise ValueError(f"{name} is not JSON")


def read_id(fields: dict) -> str:
    names = ("request_id", "payload_id")
    name = next((n for n in names if not is_empty(fields.get(n))), None)
    if name is None:
        raise Refused("missing-payload-id", "payload_id")
    raw = fields[name]
    if not isinstance(raw, str):
        raise Refused("bad-payload-id", name)
    normalised = normalise_id(raw)
    if normalised is None:
        raise Refused("bad-payload-id", name)
    return normalised


def is_empty(value) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def normalise_id(raw: str) -> str | None:
    """The normalised id, None for one that is refused."""
    trimmed = raw.strip()
    if trimmed.lower() in ("none", "null") or trimmed == "-1":
        return None
    lowered = trimmed.lower()
    bare = lowered[1:-1] if lowered.startswith("{") and lowered.endswith("}") else lowered
    if UUID.fullmatch(bare):
        return bare.replace("-", "")
    return trimmed if len(trimmed.encode()) <= MAX_ID_BYTES else None


def read_service(fields: dict) -> str:
    raw = fields.get("service")
    if is_empty(raw):
        raise Refused("missing-service", "service")
    if not isinstance(raw, str) or len(raw.strip().lower().encode()) > MAX_SERVICE_BYTES:
        raise Refused("bad-field", "service")
    return raw.strip().lower()


def read_status(fields: dict, rules: Rules) -> tuple[str, str]:
    raw = fields.get("status")
    if is_empty(raw):
        raise Refused("missing-status", "status")
    if not isinstance(raw, str):
        raise Refused("bad-field", "status")
    word = raw.strip().lower()
    status = word if word in STATUSES else {**DEFAULT_ALIASES, **rules.aliases}.get(word)
    if status is None:
        raise Refused("unknown-status", "status")
    return word, status


def read_attribute(fields: dict, name: str) -> str | None:
    raw = fields.get(name)
    if raw is None:
        return None
    text = raw.text if isinstance(raw, Number) else raw
    if not isinstance(text, str) or len(text.strip().encode()) > MAX_ATTRIBUTE_BYTES:
        raise Refused("bad-field", name)
    trimmed = text.strip()
    return None if not trimmed or trimmed.lower() in ("none", "null") else trimmed


def read_status_msg(fields: dict, rules: Rules) -> str | None:
    raw = fields.get("status_msg")
    if raw is None:
        return None
    if not isinstance(raw, str):
        raise Refused("bad-field", "status_msg")
    return cut(raw, rules.status_msg_max_bytes)


def cut(text: str, max_bytes: int) -> str:
    data = text.encode()
    if len(data) <= max_bytes:
        return text
    return data[: max_bytes - 3].decode(errors="ignore") + "…"


def read_date(raw, timestamp_ms: int) -> int:
    if is_empty(raw):
        return timestamp_ms * 1000
    date = None
    if isinstance(raw, Number):
        date = date_of_number(raw.text)
    elif isinstance(raw, str):
        date = date_of_text(raw)
    if date is None:
        raise Refused("bad-date", "date")
    return date


def date_of_number(text: str) -> int | None:
    number = Decimal(text)
    if abs(number) > Decimal("1e15"):
        return None
    seconds = number / 1000 if number >= Decimal("1e11") else number
    micros = int(seconds * 1_000_000)
    return micros if 0 <= micros < 253402300800_000_000 else None


def date_of_text(text: str) -> int | None:
    found = DATE.fullmatch(text)
    if not found:
        return None
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    fraction, _, sign, offset_hours, offset_minutes = found.groups()[6:]
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=timezone.utc)
    except ValueError:
        return None
    micros = (moment - EPOCH) // timedelta(microseconds=1) + int(((fraction or "0") + "000000")[:6])
    if sign:
        if int(offset_hours) > 23 or int(offset_minutes) > 59:
            return None
        offset = (int(offset_hours) * 60 + int(offset_minutes)) * 60_000_000
        micros += -offset if sign == "+" else offset
    return micros


def rfc3339(micros: int) -> str:
    """A date as documents and events give it."""
    return (EPOCH + timedelta(microseconds=micros)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
