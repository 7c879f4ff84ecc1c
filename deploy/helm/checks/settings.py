"""The settings of docs/configuration.md as a JSON schema for the chart's `config`."""

from __future__ import annotations

import re
from pathlib import Path

DURATION = r"[0-9]+(ms|s|m|h|d)"
DURATION_OR_ZERO = {"type": ["string", "integer"], "pattern": f"^(0|{DURATION})$", "maximum": 0}
BYTES = r"^[0-9]+(KiB|MiB|GiB)?$"
SCALAR = ["string", "integer"]
# The chart refuses these itself, with a sentence that says why.
ELSEWHERE = {
    "state.dir",
    "http.host",
    "http.port",
    "advertised.url",
    "group.instance.id",
    "http.peer-secret",
    "http.tokens-file",
    "http.jwt.jwks-file",
}


def rows(document: Path) -> list[dict[str, str]]:
    """The rows of its first table that has keys."""
    found = []
    for line in document.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        if line.startswith("| `") and len(cells) >= 3 and "`PAYLOAD_TRACKER_" in line:
            found.append({"key": cells[0].strip("`"), "meaning": cells[1], "allowed": cells[2]})
    return found


def kind(key: str, allowed: str) -> dict:
    optional = allowed.endswith(", or empty")
    text = allowed.removesuffix(", or empty")
    if key in ELSEWHERE:
        return {}
    if number := re.match(r"a whole number from (\d+) to (\d+)$", text):
        return {"type": "integer", "minimum": int(number[1]), "maximum": int(number[2])}
    if text == "true or false":
        return {"type": "boolean"}
    if text.startswith("a duration"):
        if "from 0 " in text:
            return DURATION_OR_ZERO
        return {"type": "string", "pattern": f"^{DURATION}$"}
    if text.startswith("bytes"):
        return {"type": ["string", "integer"], "pattern": BYTES}
    if re.match(r"[\w]+( or [\w]+)+$", text):
        return {"enum": text.split(" or ")}
    if "commas between" in text or key == "kafka.bootstrap.servers":
        return {"type": ["string", "array"], "items": {"type": "string"}}
    return {"type": SCALAR} if optional else {"type": SCALAR, "minLength": 1}


KAFKA = r"^kafka\.[a-z0-9.]+$"


def with_settings(values_schema: dict, document: Path) -> dict:
    """The schema of the chart's values, with the settings of the document in it."""
    config = schema(document)
    reference = {"$ref": "#/$defs/secret"}
    secrets = {
        "description": "Settings that are in Secrets: the setting's name, and where its value is.",
        "type": "object",
        "properties": {key: reference for key in config["properties"]},
        "patternProperties": {KAFKA: reference},
        "additionalProperties": False,
    }
    properties = values_schema["properties"] | {"config": config, "secrets": secrets}
    return values_schema | {"properties": properties}


def schema(document: Path) -> dict:
    properties = {}
    for row in rows(document):
        meaning = row["meaning"].replace("&lt;", "<")
        allowed = row["allowed"].replace("&lt;", "<")
        described = f"{meaning} ({allowed})" if allowed else meaning
        properties[row["key"]] = {"description": described, **kind(row["key"], row["allowed"])}
    patterns = {KAFKA: {"type": ["string", "integer", "boolean", "array"]}}
    if "`stall.after.<service>`" in document.read_text():
        patterns[r"^stall\.after\.[a-z0-9-]+$"] = DURATION_OR_ZERO
    return {
        "description": "Settings by their names in docs/configuration.md.",
        "type": "object",
        "properties": properties,
        "patternProperties": patterns,
        "additionalProperties": False,
    }
