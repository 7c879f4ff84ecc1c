"""docs/openapi.yaml against the running service, with schemathesis."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import yaml

import sequences
from checks import Checks, documents_converge
from message import Rules
from scenarios import Context, scenario
from scenarios.lifecycles import send_anywhere, send_in_order
from tracker import REPOSITORY

EXAMPLE = "3f6c0a52b7d94e01a1c25d7f8e9b0c13"
# It does not end by itself; the scenarios of stream.py are about it.
STREAM = "/v1/outcomes/stream"
EXAMPLES = 30
RUN_SECONDS = 240
# A request may be well-formed and mean nothing: a date after another, an id that no payload can have, a cursor of another list.
NOT_CHECKED = "positive_data_acceptance"


def schema() -> dict:
    """The document, but for what would make a run endless."""
    document = yaml.safe_load((REPOSITORY / "docs" / "openapi.yaml").read_text())
    del document["paths"][STREAM]
    for parameter in document["paths"]["/v1/payloads/{id}"]["get"]["parameters"]:
        if parameter.get("name") == "wait":
            parameter.pop("example", None)
            parameter["schema"] = {"type": "string", "enum": ["0", "1ms", "50ms"]}
    return document


@scenario("topics", "transactions")
def openapi(context: Context) -> None:
    """A client that is generated from the description would meet answers that it does not know."""
    app = context.app(partitions=2).create_input()
    sent = [send_anywhere(app, make(), Rules()).payload for make in sequences.SEQUENCES.values()]
    sent.append(send_in_order(app, sequences.extraction_fails(), Rules(), EXAMPLE).payload)
    app.sender.flush()
    tracker = app.start().wait_until_ready()
    checks = Checks()
    checks.extend(documents_converge(app, tracker, sent))
    path = app.directory / "openapi.json"
    path.write_text(json.dumps(schema(), default=str))
    command = [str(Path(sys.executable).with_name("schemathesis")), "run", str(path)]
    command += ["--url", f"http://127.0.0.1:{tracker.port}", "--exclude-checks", NOT_CHECKED]
    command += ["--phases", "examples,coverage,fuzzing", "--max-examples", str(EXAMPLES), "--workers", "2"]
    command += ["--seed", str(app.random.randrange(1 << 32)), "--continue-on-failure", "--request-timeout", "20"]
    result = subprocess.run(  # noqa: PLW1510
        command, capture_output=True, text=True, errors="replace", timeout=RUN_SECONDS, cwd=app.directory
    )
    checks.equal(f"schemathesis\n{result.stdout[-6000:]}\n{result.stderr[-500:]}\nexit code", result.returncode, 0)
    checks.that(tracker.is_healthy(), "the service is not healthy any more")
    checks.done()
