"""The endpoint with the tokens of an identity provider, whose part openssl plays."""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from checks import Checks
from scenarios import Context, scenario
from scenarios.configuration import refusal_problems, serve_fails
from scenarios.instances import SECRET, start_instance
from scenarios.tls import make_certificate
from scenarios.tokens import CHANGE_SECONDS, status

ISSUER, AUDIENCE = "https://sso.example.com/realms/uploads", "payload-tracker"


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def openssl(*arguments: str | Path, stdin: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *arguments], input=stdin, check=True, capture_output=True).stdout


class Issuer:
    """Signs with a key of its own."""

    def __init__(self, directory: Path, name: str):
        self.name, self.key = name, directory / f"{name}.pem"
        openssl("genrsa", "-out", self.key, "2048")

    def keys(self) -> dict:
        modulus = openssl("rsa", "-in", self.key, "-noout", "-modulus").decode().strip().removeprefix("Modulus=")
        number = base64url(bytes.fromhex(modulus))
        return {"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.name, "n": number, "e": "AQAB"}]}

    def token(self, org: str | None = None, **claims: object) -> str:
        usual = {"iss": ISSUER, "aud": AUDIENCE, "exp": int(time.time()) + 600, "sub": "alice", "scope": "openid read"}
        if org:
            usual["identity"] = {"org_id": org}
        header = {"alg": "RS256", "kid": self.name, "typ": "JWT"}
        signed = ".".join(base64url(json.dumps(part).encode()) for part in (header, usual | claims))
        signature = openssl("dgst", "-sha256", "-sign", self.key, stdin=signed.encode())
        return f"{signed}.{base64url(signature)}"


class KeyServer(HTTPServer):
    """Publishes keys over TLS; nobody can reach it before `open`."""

    def __init__(self, keys: dict, files: dict[str, Path]):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = json.dumps(keys).encode()
                self.send_response(200 if self.path == "/certs" else 404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler, bind_and_activate=False)
        self.server_bind()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files["http.tls.certificate-file"], files["http.tls.key-file"])
        self.socket = context.wrap_socket(self.socket, server_side=True)

    def open(self) -> None:
        self.server_activate()
        threading.Thread(target=self.serve_forever, daemon=True).start()


@scenario("topics")
def signed_tokens(context: Context) -> None:
    """Somebody would get in whom the identity provider has not let in, or nobody after it has changed its keys."""
    app = context.app(partitions=6).create_input()
    issuer, successor = Issuer(app.directory, "first"), Issuer(app.directory, "second")
    certificate = make_certificate(app.directory, "issuer")
    server = KeyServer(issuer.keys(), certificate)
    path = app.directory / "jwks.json"
    path.write_text(json.dumps(issuer.keys()))
    app.settings |= {
        "http.jwt.issuer": ISSUER,
        "http.jwt.audience": AUDIENCE,
        "http.jwt.org-id-claim": "identity.org_id",
        "http.peer-secret": SECRET,
    }
    checks = Checks()
    alone = serve_fails(app, {"http.jwt.jwks-file": path, "http.jwt.issuer": ""})
    checks.extend(refusal_problems("no issuer", alone, "http.jwt.issuer"))
    asking = start_instance(
        app,
        0,
        http_jwt_jwks__url=f"https://127.0.0.1:{server.server_port}/certs",
        http_tls_ca__file=certificate["http.tls.ca-file"],
    )
    reading = start_instance(app, 1, http_jwt_jwks__file=path)
    trackers = [asking.wait_until_ready(), reading.wait_until_ready()]
    mine, theirs = issuer.token("1"), issuer.token("2")
    checks.equal("before the keys are known", status(asking, "/v1/payloads", mine), 503)
    server.open()
    asking.wait_for(lambda: status(asking, "/v1/payloads", mine) == 200, "to have the keys", CHANGE_SECONDS)
    ids = {f"{org}-{number}": org for org in ("1", "2") for number in range(8)}
    for payload_id, org in ids.items():
        fields = {"payload_id": payload_id, "service": "ingress", "status": "received", "org_id": org}
        app.send(json.dumps(fields).encode())
    for payload_id, org in ids.items():
        token = mine if org == "1" else theirs
        reading.wait_for(
            lambda payload_id=payload_id, token=token: status(reading, f"/v1/payloads/{payload_id}", token) == 200,
            f"to know {payload_id}",
        )
    refused = {
        "with another's signature": f"{mine.rpartition('.')[0]}.{theirs.rpartition('.')[2]}",
        "by another key": successor.token("1"),
        "of another issuer": issuer.token("1", iss="https://sso.example.com"),
        "for another service": issuer.token("1", aud="account"),
        "that has expired": issuer.token("1", exp=int(time.time()) - 60),
    }
    for tracker in trackers:
        for name, token in refused.items():
            checks.equal(f"a token {name}", status(tracker, "/v1/payloads", token), 401)
        checks.equal("a token of no organisation", status(tracker, "/v1/payloads", issuer.token()), 403)
        checks.equal("metrics for a reader", status(tracker, "/metrics", mine), 403)
        checks.equal("metrics for Prometheus", status(tracker, "/metrics", issuer.token(scope="metrics")), 200)
        for payload_id, org in ids.items():
            target = f"/v1/payloads/{payload_id}"
            checks.equal(f"{target} for organisation 1", status(tracker, target, mine), 200 if org == "1" else 404)
        listed = tracker.request("/v1/payloads", headers={"Authorization": f"Bearer {mine}"}).json["data"]
        checks.equal("the list for organisation 1", sorted(each["org_id"] for each in listed), ["1"] * 8)
    shown = app.command("get", "1-0", "--url", f"http://127.0.0.1:{asking.port}", settings={"http.token": mine})
    checks.equal(f"get with a token {shown.stderr[:300]!r}: exit code", shown.returncode, 0)
    path.write_text(json.dumps(successor.keys()))
    later = successor.token("1")
    reading.wait_for(
        lambda: status(reading, "/v1/payloads", later) == 200 and status(reading, "/v1/payloads", mine) == 401,
        "to read the keys again",
        CHANGE_SECONDS,
    )
    for tracker in trackers:
        log = tracker.log_text()
        checks.that(not any(token.split(".")[1] in log for token in (mine, later)), "a token is in the log")
    server.shutdown()
    checks.done()
