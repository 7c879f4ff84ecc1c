"""The endpoint behind TLS, with a certificate that no system trusts by itself."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

from checks import Checks
from scenarios import Context, scenario
from scenarios.configuration import refusal_problems, serve_fails
from scenarios.instances import start_instance
from tracker import Tracker

PAYLOADS = [f"payload-{number}" for number in range(8)]
# The files are looked at every 5 s.
CHANGE_SECONDS = 20


def make_certificate(directory: Path, name: str, host: str = "IP:127.0.0.1") -> dict[str, Path]:
    """The settings of an endpoint whose certificate is its own authority."""
    certificate, key = directory / f"{name}.crt", directory / f"{name}.key"
    pair = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", certificate]
    names = ["-subj", "/CN=payload-tracker", "-addext", f"subjectAltName={host}"]
    subprocess.run(["openssl", "req", "-x509", "-days", "2", *pair, *names], check=True, capture_output=True)
    return {"http.tls.certificate-file": certificate, "http.tls.key-file": key, "http.tls.ca-file": certificate}


def listen_as(files: dict[str, Path]) -> socket.socket:
    """Somebody who has a certificate, and shows it to the first who comes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files["http.tls.certificate-file"], files["http.tls.key-file"])
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        with suppress(OSError):
            context.wrap_socket(listener.accept()[0], server_side=True).close()

    threading.Thread(target=accept, daemon=True).start()
    return listener


def all_answer(tracker: Tracker) -> bool:
    return all(tracker.status_of(f"/v1/payloads/{payload_id}") == 200 for payload_id in PAYLOADS)


@scenario("topics")
def endpoint_over_tls(context: Context) -> None:
    """Payloads, tokens and the peer secret would cross the network in clear, or stop to when the certificate is renewed."""
    app = context.app(partitions=6).create_input()
    app.settings |= make_certificate(app.directory, "endpoint")
    trackers = [start_instance(app, number).wait_until_ready() for number in range(2)]
    for payload_id in PAYLOADS:
        app.send(f'{{"payload_id": "{payload_id}", "service": "ingress", "status": "received"}}'.encode())
    for tracker in trackers:
        tracker.wait_for(lambda tracker=tracker: all_answer(tracker), "to know all payloads")
    checks = Checks()
    owners = {trackers[0].payload(payload_id).json["served_by"] for payload_id in PAYLOADS}
    urls = {f"https://127.0.0.1:{tracker.port}" for tracker in trackers}
    checks.equal("instances that answers come from", owners, urls)
    command_problems(checks, context, trackers[0])
    connections_renewed(checks, app.directory, trackers)
    checks.done()


def command_problems(checks: Checks, context: Context, tracker: Tracker) -> None:
    app = context.apps[0]
    secured, plain = f"https://127.0.0.1:{tracker.port}", f"http://127.0.0.1:{tracker.port}"
    authority = {"http.tls.ca-file": app.settings["http.tls.ca-file"]}
    for command in (("get", PAYLOADS[0]), ("status",)):
        shown = app.command(*command, "--url", secured, settings=authority)
        checks.equal(f"{command}: {shown.stderr[:300]!r}: exit code", shown.returncode, 0)
    other = make_certificate(app.directory, "other", "DNS:other.example")
    impostor = f"https://127.0.0.1:{listen_as(other).getsockname()[1]}"
    refused = {
        "without the authority": (("get", PAYLOADS[0], "--url", secured), {}, "http.tls.ca-file"),
        "watch without the authority": (("watch", "--url", secured), {}, "http.tls.ca-file"),
        "without TLS": (("get", PAYLOADS[0], "--url", plain), authority, "https"),
        "of another name": (
            ("get", PAYLOADS[0], "--url", impostor),
            {"http.tls.ca-file": other["http.tls.ca-file"]},
            "another name",
        ),
    }
    for what, (command, settings, named) in refused.items():
        shown = app.command(*command, settings=settings)
        checks.equal(f"{what}: {shown.stderr[:300]!r}: exit code", shown.returncode, 1)
        checks.that(named in shown.stderr and len(shown.stderr.splitlines()) == 1, f"{what}: {shown.stderr[:500]!r}")


def connections_renewed(checks: Checks, directory: Path, trackers: list[Tracker]) -> None:
    """A renewed certificate, here of another authority, is shown and trusted without a restart."""
    new = make_certificate(directory, "renewed")
    for setting in ("http.tls.key-file", "http.tls.certificate-file"):
        new[setting].replace(directory / f"endpoint{new[setting].suffix}")
    for tracker in trackers:
        tracker.trust(directory / "endpoint.crt")
    for tracker in trackers:
        tracker.wait_for(
            lambda tracker=tracker: all_answer(tracker), "to answer with the renewed certificate", CHANGE_SECONDS
        )
        checks.that("has changed" in tracker.log_text(), f"the log does not tell of it:\n{tracker.log_tail()}")
    served = ssl.get_server_certificate(("127.0.0.1", trackers[0].port))
    checks.equal("certificate", served.strip(), (directory / "endpoint.crt").read_text().strip())


@scenario()
def wrong_tls_files(context: Context) -> None:
    """An endpoint would start without the TLS that its operator believes it has."""
    app = context.app()
    files = make_certificate(app.directory, "endpoint")
    other = make_certificate(app.directory, "other")
    absent = app.directory / "absent.pem"
    wrong = {
        "http.tls.key-file": [files | {"http.tls.certificate-file": None}, files | {"http.tls.key-file": absent}],
        "http.tls.certificate-file": [files | {"http.tls.key-file": None}],
        "http.tls.ca-file": [files | {"http.tls.ca-file": files["http.tls.key-file"]}],
    }
    wrong["http.tls.key-file"].append(files | {"http.tls.key-file": other["http.tls.key-file"]})
    wrong["http.tls.certificate-file"].append(files | {"http.tls.certificate-file": files["http.tls.key-file"]})
    checks = Checks()
    for setting, cases in wrong.items():
        for settings in cases:
            checks.extend(refusal_problems(f"{setting} in {settings}", serve_fails(app, settings), setting))
    checks.done()
