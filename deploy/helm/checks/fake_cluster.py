"""An API server that knows a few objects, for what the chart asks of a cluster (`lookup`)."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

RESOURCES = {
    ("", "v1"): [
        ("secrets", "Secret"),
        ("configmaps", "ConfigMap"),
        ("services", "Service"),
        ("pods", "Pod"),
        ("serviceaccounts", "ServiceAccount"),
    ],
    ("apps", "v1"): [("statefulsets", "StatefulSet")],
    ("batch", "v1"): [("jobs", "Job")],
    ("policy", "v1"): [("poddisruptionbudgets", "PodDisruptionBudget")],
    ("networking.k8s.io", "v1"): [("networkpolicies", "NetworkPolicy")],
}
PLURALS = {kind: plural for kinds in RESOURCES.values() for plural, kind in kinds}


def path_of(document: dict) -> str:
    version = document["apiVersion"]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    metadata = document["metadata"]
    return f"{root}/namespaces/{metadata['namespace']}/{PLURALS[document['kind']]}/{metadata['name']}"


def discovery() -> dict[str, dict]:
    answers = {
        "/version": {"major": "1", "minor": "33", "gitVersion": "v1.33.0"},
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
    }
    groups = []
    for (group, version), kinds in RESOURCES.items():
        full = f"{group}/{version}" if group else version
        answers[f"/apis/{full}" if group else f"/api/{full}"] = {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": full,
            "resources": [
                {"name": plural, "singularName": "", "namespaced": True, "kind": kind, "verbs": ["get", "list"]}
                for plural, kind in kinds
            ],
        }
        if group:
            entry = {"groupVersion": full, "version": version}
            groups.append({"name": group, "versions": [entry], "preferredVersion": entry})
    answers["/apis"] = {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
    return answers


@contextmanager
def fake_server(answers: dict[str, dict]):
    """Answers GET for the paths of `answers` with JSON, and for all others with 404. Yields its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            path = self.path.split("?")[0]
            missing = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}
            body = json.dumps(answers.get(path, missing)).encode()
            self.send_response(200 if path in answers else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def fake_cluster(documents: list[dict], directory: Path):
    """Yields the path of a kubeconfig for a cluster that has `documents`."""
    answers = discovery() | {path_of(document): document for document in documents}
    kubeconfig = directory / "kubeconfig"
    with fake_server(answers) as url:
        configuration = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "fake",
            "clusters": [{"name": "fake", "cluster": {"server": url}}],
            "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}],
            "users": [{"name": "fake", "user": {}}],
        }
        kubeconfig.write_text(json.dumps(configuration))
        yield kubeconfig
