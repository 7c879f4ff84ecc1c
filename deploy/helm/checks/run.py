"""Checks the chart, its alerts, the dashboard, the Dockerfile and all documents. Each line says what was checked and how long it took."""

from __future__ import annotations

import argparse
import functools
import json
import re
import sys
import tempfile
import time
import traceback
from itertools import pairwise
from pathlib import Path

import kubernetes_validate
import yaml

import documents
import metrics
import pods
import settings
from fake_cluster import fake_cluster, fake_server
from tools import ToolMissing, Tools, run

HELM = Path(__file__).resolve().parent.parent
DEPLOY = HELM.parent
ROOT = DEPLOY.parent
CHART = HELM / "payload-tracker"
EXAMPLES = CHART / "examples"
TESTS = HELM / "tests"
SCHEMA = CHART / "values.schema.json"
CONFIGURATION = ROOT / "docs/configuration.md"
RUNBOOK = ROOT / "docs/kubernetes.md"
DASHBOARD = DEPLOY / "grafana/payload-tracker.json"
RELEASE = "payload-tracker"
NAMESPACE = "tracking"
# The oldest that the chart takes, those that are supported now, and the newest.
KUBERNETES = ["1.27", "1.33", "1.35", "1.37"]
# What the schemas of Kubernetes do not know.
CUSTOM = {"ServiceMonitor", "PrometheusRule", "ScaledObject", "TriggerAuthentication"}
# Values that have to render besides the examples: each has templates or branches that no example has.
VARIANTS = {
    "default": [],
    "small": ["-f", EXAMPLES / "small.yaml"],
    "production": ["-f", EXAMPLES / "production.yaml"],
    "sasl-ssl": ["-f", EXAMPLES / "sasl-ssl.yaml"],
    "reset": ["-f", EXAMPLES / "small.yaml", "--set", "reset.enabled=true"],
    "repartition": [
        "-f", EXAMPLES / "small.yaml", "--set", "repartition.toApplication=payload-tracker-12,repartition.partitions=12",
    ],
    "keda-sasl": ["-f", EXAMPLES / "sasl-ssl.yaml", "--set", "autoscaling.enabled=true"],
    "bare": [
        "--set", "networkPolicy.enabled=false,serviceAccount.create=false",
        "--set", "peerSecret.existingSecret=peers,topologySpread.hosts=,topologySpread.zones=",
    ],
}  # fmt: skip
# Checks of checkov that do not fit, and why.
SKIPPED_POLICIES = {
    "CKV_K8S_8": "only the test pod has no liveness probe: it ends by itself (pods.py checks the probes of the instances)",
    "CKV_K8S_9": "likewise its readiness probe",
    "CKV_K8S_11": "no CPU limit: it would slow restores down and help nobody",
    "CKV_K8S_15": "pullPolicy Always makes a start depend on the registry; a digest says more",
    "CKV_K8S_35": "the program takes secrets from its environment; nothing else runs in the container",
    "CKV_K8S_43": "the digest is of the image that the user has pushed, as production.yaml shows",
}


class Wrong(Exception):
    """What a check found."""


class Skipped(Exception):
    """Why a check could not be made."""


class Chart:
    def __init__(self, tools: Tools, directory: Path):
        self.tools = tools
        self.directory = directory
        self.cache: dict[tuple, list[dict]] = {}

    def helm(self, *arguments: str | Path):
        home = {f"HELM_{name}_HOME": str(self.directory / name) for name in ("CONFIG", "CACHE", "DATA")}
        return run(self.tools.helm, *arguments, env={"PATH": "/usr/bin:/bin", "HOME": str(self.directory), **home})

    def template(self, *values: str | Path, version: str = "1.33"):
        return self.helm("template", RELEASE, CHART, "--namespace", NAMESPACE, "--kube-version", version, *values)

    def documents(self, *values: str | Path, version: str = "1.33") -> list[dict]:
        key = (version, *map(str, values))
        if key not in self.cache:
            result = self.template(*values, version=version)
            if result.returncode:
                raise Wrong(result.stderr.strip())
            self.cache[key] = [document for document in yaml.safe_load_all(result.stdout) if document]
        return self.cache[key]

    def find(self, kind: str, *values: str | Path) -> dict:
        return next(document for document in self.documents(*values) if document["kind"] == kind)

    def alert_groups(self) -> dict:
        return self.find("PrometheusRule", *VARIANTS["production"])["spec"]


def succeed(result) -> None:
    if result.returncode:
        raise Wrong((result.stdout + result.stderr).strip())


def none_of(problems: list[str]) -> None:
    if problems:
        raise Wrong("\n".join(problems))


def check_settings(chart: Chart) -> None:
    """The schema has exactly the settings of docs/configuration.md."""
    written = json.loads(SCHEMA.read_text())
    if written != settings.with_settings(written, CONFIGURATION):
        raise Wrong("values.schema.json is behind docs/configuration.md: run deploy/helm/check --write-schema")


def check_schema_covers_values(chart: Chart) -> None:
    """Each value has a place in the schema, and each place in the schema has a value."""

    def differences(values: dict, schema: dict, path: str = "") -> list[str]:
        if "properties" not in schema or path in (".config", ".secrets"):
            return []
        properties = {key: value for key, value in schema["properties"].items() if path + key != "global"}
        found = [
            f"{path}.{key} is in one of values.yaml and values.schema.json only"
            for key in set(values) ^ set(properties)
        ]
        for key in set(values) & set(properties):
            if isinstance(values[key], dict) and f"{path}.{key}" != ".resources":
                found += differences(values[key], properties[key], f"{path}.{key}")
        return found

    none_of(differences(yaml.safe_load((CHART / "values.yaml").read_text()), json.loads(SCHEMA.read_text())))


def check_lint(chart: Chart, values: list) -> None:
    """helm lint --strict."""
    succeed(chart.helm("lint", "--strict", CHART, *values))


def check_objects(chart: Chart, values: list) -> None:
    """Kubernetes' own schemas, no field that they do not have, and the restricted Pod Security level for every pod."""
    for version in KUBERNETES:
        documents = chart.documents(*values, version=version)
        for document in documents:
            if document["kind"] in CUSTOM:
                continue
            try:
                kubernetes_validate.validate(document, version, strict=True)
            except Exception as error:
                name = f"{document['kind']} {document['metadata']['name']}"
                raise Wrong(f"{name}, Kubernetes {version}: {error}") from None
        none_of(pods.problems(documents))
        names = [(document["kind"], document["metadata"]["name"]) for document in documents]
        none_of([f"{kind} {name} comes twice" for kind, name in set(names) if names.count((kind, name)) > 1])


def check_policy(chart: Chart) -> None:
    """checkov's Kubernetes policies, for all variants in one run, because it takes long to start."""
    directory = chart.directory / "policy"
    directory.mkdir()
    for name, values in VARIANTS.items():
        if name != "bare":  # what it turns off is what the policies ask for
            (directory / f"{name}.yaml").write_text(yaml.safe_dump_all(chart.documents(*values)))
    command = (chart.tools.checkov, "--quiet", "--compact", "--skip-download", "--framework", "kubernetes")
    succeed(run(*command, "--skip-check", ",".join(SKIPPED_POLICIES), "-d", directory))


def check_settings_reach_the_program(chart: Chart) -> None:
    """What jobs are told in their environment is what the instances read in their file; a changed setting restarts them."""
    values = VARIANTS["sasl-ssl"]
    file = yaml.safe_load(chart.find("ConfigMap", *values)["data"]["payload-tracker.yaml"])
    job = chart.find("Job", *values)["spec"]["template"]["spec"]["containers"][0]
    environment = {variable["name"]: variable.get("value") for variable in job["env"]}
    for key, value in file.items():
        name = "PAYLOAD_TRACKER_" + re.sub(r"[.-]", "_", key).upper()
        if key != "state.dir" and environment.get(name) != str(value):
            raise Wrong(f"{key} is {value} for the instances and {environment.get(name)} for the job")

    def template(*more: str) -> dict:
        return chart.find("StatefulSet", *values, *more)["spec"]["template"]

    before = template()["metadata"]["annotations"]
    after = template("--set-string", r"config.stall\.after=3h")["metadata"]["annotations"]
    if before == after:
        raise Wrong("another stall.after does not change the pods' annotations: nothing restarts them")


def newest_program() -> Path | None:
    built = [ROOT / ".build" / kind / "payload-tracker" for kind in ("release", "debug")]
    return max((file for file in built if file.exists()), key=lambda file: file.stat().st_mtime, default=None)


def check_program_takes_settings(chart: Chart) -> None:
    """The built program accepts the settings of instances and jobs; any that it refuses makes it exit with 2."""
    program = newest_program()
    if not program:
        raise Skipped("payload-tracker has not been built")
    found = []
    # It answers that nobody knows the payload, which is exit code 4. Settings are read before it is asked.
    with fake_server({}) as url:
        for name, values in VARIANTS.items():
            for document in chart.documents(*values):
                if document["kind"] in ("StatefulSet", "Job"):
                    environment = environment_of(document, chart, values)
                    environment["PAYLOAD_TRACKER_ADVERTISED_URL"] = url
                    # In a volume that is not here.
                    environment["PAYLOAD_TRACKER_HTTP_TLS_CA_FILE"] = ""
                    result = run(program, "get", "anything", env=environment)
                    if result.returncode != 4:
                        found.append(f"{name}, {document['kind']}: exit {result.returncode}: {result.stderr.strip()}")
    none_of(found)


def environment_of(document: dict, chart: Chart, values: list) -> dict[str, str]:
    """The environment of its container, with the ConfigMap as a file and something for each secret."""
    container = document["spec"]["template"]["spec"]["containers"][0]
    environment = {
        variable["name"]: variable.get("value", "x" * 16).replace("$(POD_NAME)", "payload-tracker-0")
        for variable in container["env"]
    }
    if "PAYLOAD_TRACKER_CONFIG" in environment:
        file = chart.directory / "payload-tracker.yaml"
        file.write_text(chart.find("ConfigMap", *values)["data"]["payload-tracker.yaml"])
        environment["PAYLOAD_TRACKER_CONFIG"] = str(file)
    return environment


def check_memory(chart: Chart) -> None:
    """The stores' memory follows from the limit, and never takes what the rest of the program needs."""
    for limit, mebibytes, threads, fetched in [
        ("768Mi", 768, 1, 64),
        ("2Gi", 2048, 2, 64),
        ("4G", 3814, 4, 64),
        ("1.5Gi", 1536, 1, 32),
        ("2Gi", 2048, 2, 128),
    ]:
        values = ("--set", f"resources.limits.memory={limit}", "--set", rf"config.stream\.threads={threads}")
        if fetched != 64:
            values += ("--set", rf"config.kafka\.queued\.max\.messages\.kbytes={fetched * 1024}")
        file = yaml.safe_load(chart.find("ConfigMap", *values)["data"]["payload-tracker.yaml"])
        stores = [int(file[f"store.{name}"].removesuffix("MiB")) for name in ("block-cache", "write-buffers", "cache")]
        rest = mebibytes * 0.9 - 320 - 192 * threads - max(0, fetched - 64) * (threads + 1)
        if not rest - 5 < sum(stores) <= rest:
            raise Wrong(f"limit {limit}, {threads} threads: the stores get {stores} MiB of {rest:.0f}")


def check_refused(chart: Chart) -> None:
    """Wrong values are refused with a sentence that says what to do (tests/refused.yaml)."""
    found = []
    for case in yaml.safe_load((TESTS / "refused.yaml").read_text()):
        file = chart.directory / "values.yaml"
        file.write_text(yaml.safe_dump(case.get("values", {})))
        example = ["-f", EXAMPLES / f"{case['example']}.yaml"] if "example" in case else []
        if "installed" in case:
            with fake_cluster(case["installed"], chart.directory) as kubeconfig:
                server = (
                    "--is-upgrade",
                    "--dry-run=server",
                    "--disable-openapi-validation",
                    "--kubeconfig",
                    kubeconfig,
                )
                result = chart.helm("template", RELEASE, CHART, "--namespace", NAMESPACE, *server, *example, "-f", file)
        else:
            result = chart.template(*example, "-f", file)
        wanted = case.get("refused")
        said = " ".join(result.stderr.split())
        if wanted is None and result.returncode:
            found.append(f"{case['case']}: must render, but: {said}")
        elif wanted and not result.returncode:
            found.append(f"{case['case']}: renders, but must be refused: {wanted}")
        elif wanted and wanted not in said:
            found.append(f"{case['case']}: refused, but not with: {wanted}\n  but: {said}")
        for text in case.get("renders", []):
            if text not in result.stdout:
                found.append(f"{case['case']}: the output lacks {text}")
    none_of(found)


def check_notes(chart: Chart, values: list) -> None:
    """NOTES.txt renders, and its commands name objects that are there."""
    result = chart.helm("install", RELEASE, CHART, "--namespace", NAMESPACE, "--dry-run=client", *values)
    succeed(result)
    notes = result.stdout.split("NOTES:")[1]
    names = {document["metadata"]["name"] for document in chart.documents(*values)}
    named = re.findall(r"(?:statefulset|service|job)/([\w-]+)", notes)
    none_of([f"NOTES name {name}, which is not installed" for name in named if name not in names])


def check_alerts(chart: Chart) -> None:
    """promtool: the rules as rendered, and their unit tests (tests/alerts.yaml); every alert has tests and a runbook entry."""
    rules = chart.directory / "rules.yaml"
    rules.write_text(yaml.safe_dump(chart.alert_groups()))
    tests = yaml.safe_load((TESTS / "alerts.yaml").read_text())
    tests["rule_files"] = [str(rules)]
    tests_file = chart.directory / "alerts.yaml"
    tests_file.write_text(yaml.safe_dump(tests))
    succeed(run(chart.tools.promtool, "check", "rules", "--lint=all", "--lint-fatal", rules))
    succeed(run(chart.tools.promtool, "test", "rules", tests_file))
    if "@" in re.sub(r"@\w+\.", "", rules.read_text()):
        raise Wrong("a @WORD@ of files/alerts.yaml has not been filled in")
    alerts = [rule for group in chart.alert_groups()["groups"] for rule in group["rules"]]
    headings = {
        re.sub(r"[^\w -]", "", line.strip("# ")).lower().replace(" ", "-")
        for line in RUNBOOK.read_text().splitlines()
        if line.startswith("#")
    }
    cases = [case for test in tests["tests"] for case in test["alert_rule_test"]]
    found = []
    for rule in alerts:
        name = rule["alert"]
        fires = {bool(case.get("exp_alerts")) for case in cases if case["alertname"] == name}
        if fires != {True, False}:
            found.append(f"{name} needs a test where it fires and one where it does not")
        anchor = rule["annotations"]["runbook_url"].split("#")[-1]
        if anchor not in headings:
            found.append(f"{name}: docs/kubernetes.md has no heading for #{anchor}")
    none_of(found)


def check_metrics(chart: Chart) -> None:
    """Every metric and label of dashboard and alerts exists in Sources/."""
    expressions = {rule["alert"]: rule["expr"] for group in chart.alert_groups()["groups"] for rule in group["rules"]}
    dashboard = json.loads(DASHBOARD.read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            expressions[f"panel {panel['title']} ({target['refId']})"] = target["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            expressions[f"variable {variable['name']}"] = variable["definition"]
    known = metrics.in_code(ROOT / "Sources")
    none_of(metrics.problems(expressions, known))


def check_dashboard(chart: Chart) -> None:
    """Every expression of the dashboard parses, its panels do not overlap, and have a title, a unit and a description."""
    dashboard = json.loads(DASHBOARD.read_text())
    rules, taken, found = [], {}, []
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                other = taken.setdefault((x, y), panel["title"])
                if other != panel["title"]:
                    found.append(f"{panel['title']} lies over {other}")
        if panel["type"] == "row":
            continue
        if not panel.get("description") or "unit" not in panel.get("fieldConfig", {}).get("defaults", {}):
            found.append(f"{panel['title']} lacks a description or a unit")
        for target in panel["targets"]:
            expression = target["expr"].replace("$__rate_interval", "5m").replace("$__range", "1h")
            rules.append({"record": "dashboard:panel", "expr": expression, "labels": {"n": str(len(rules))}})
    none_of(sorted(set(found)))
    file = chart.directory / "dashboard.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    succeed(run(chart.tools.promtool, "check", "rules", file))


def check_yaml(chart: Chart) -> None:
    """yamllint."""
    files = [
        CHART / "Chart.yaml",
        CHART / "values.yaml",
        CHART / "files",
        EXAMPLES,
        TESTS,
        DEPLOY / "docker/compose.yaml",
    ]
    rules = "{extends: default, rules: {line-length: {max: 200}, document-start: disable, braces: {max-spaces-inside: 1}, comments: {min-spaces-from-content: 1}}}"
    succeed(run(chart.tools.yamllint, "--strict", "-d", rules, *files))


def check_dockerfile(chart: Chart) -> None:
    """hadolint."""
    succeed(run(chart.tools.hadolint, "--config", DEPLOY / "docker/hadolint.yaml", DEPLOY / "docker/Dockerfile"))


def project() -> documents.Project:
    """What documents are compared with; without a built program its commands are not looked at."""
    program = newest_program()

    @functools.cache
    def help_of(words: tuple[str, ...]) -> str | None:
        text = run(program, *words, "--help").stdout
        # For a command that it does not have it shows those that it has.
        return text if " ".join(["USAGE: payload-tracker", *words]) in text else None

    return documents.Project(ROOT, help_of if program else None)


def check_documents(chart: Chart) -> None:
    """What the documents name is there (documents.py)."""
    shared = project()
    none_of([problem for check in documents.CHECKS for problem in check(shared)])


def check_helm_commands(chart: Chart) -> None:
    """The values that the documents' helm commands set render on top of the smallest example."""
    found = []
    for name, document in project().documents.items():
        for words in document.commands:
            if words[:2] in (["helm", "install"], ["helm", "upgrade"]):
                values = [word for pair in pairwise(words) if pair[0] == "--set" for word in pair]
                result = chart.template(*VARIANTS["small"], *values)
                if result.returncode:
                    found.append(f"{name}: {' '.join(words)}: {result.stderr.strip()}")
    none_of(found)


def check_wrong_documents(chart: Chart) -> None:
    """Those checks find what is wrong, and nothing else (tests/documents.yaml)."""
    shared = project()
    if not shared.help_of:
        raise Skipped("payload-tracker has not been built")
    operations = shared.documents["docs/operations.md"]
    found = []
    for case in yaml.safe_load((TESTS / "documents.yaml").read_text()):
        document = documents.Document(ROOT / "README.md", case["text"])
        shared.documents = {"README.md": document, "docs/operations.md": operations}
        problems = [problem for check in documents.CHECKS for problem in check(shared)]
        wanted = case.get("problem")
        if len(problems) != bool(wanted) or not all(wanted in problem for problem in problems):
            found.append(f"{case['text']!r} has the problems {problems}, not {wanted!r}")
    none_of(found)


def checks(policy: bool):
    """(what it is called, the check, its arguments)"""
    yield "settings: schema and docs/configuration.md", check_settings, ()
    yield "values.yaml and values.schema.json", check_schema_covers_values, ()
    for name, values in VARIANTS.items():
        yield f"{name}: helm lint", check_lint, (values,)
        yield f"{name}: objects, Kubernetes {', '.join(KUBERNETES)}", check_objects, (values,)
        yield f"{name}: notes", check_notes, (values,)
    yield "settings reach jobs and instances", check_settings_reach_the_program, ()
    yield "the program takes the settings", check_program_takes_settings, ()
    yield "memory of the stores", check_memory, ()
    yield "wrong values are refused", check_refused, ()
    yield "alerts: promtool, tests, runbook", check_alerts, ()
    yield "metrics of alerts and dashboard are in the code", check_metrics, ()
    yield "dashboard", check_dashboard, ()
    yield "yamllint", check_yaml, ()
    if policy:
        yield "checkov", check_policy, ()
    yield "hadolint", check_dockerfile, ()
    yield "documents name what is there", check_documents, ()
    yield "helm commands of documents", check_helm_commands, ()
    yield "wrong documents are found", check_wrong_documents, ()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--no-policy", action="store_true", help="without checkov, which takes the longest to install")
    parser.add_argument(
        "--write-schema", action="store_true", help="takes the settings over from docs/configuration.md"
    )
    parser.add_argument("--only", metavar="NAME", default="", help="the checks whose name contains NAME")
    return parser.parse_args()


def write_schema() -> None:
    schema = settings.with_settings(json.loads(SCHEMA.read_text()), CONFIGURATION)
    SCHEMA.write_text(json.dumps(schema, indent=2) + "\n")


def main() -> int:
    options = arguments()
    if options.write_schema:
        write_schema()
    policy = not options.no_policy
    started = time.monotonic()
    try:
        tools = Tools(policy)
    except ToolMissing as missing:
        print(f"deploy/helm/check: {missing}", file=sys.stderr)
        return 2
    print(f"tools are there after {time.monotonic() - started:.1f} s")
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    with tempfile.TemporaryDirectory() as directory:
        chart = Chart(tools, Path(directory))
        for name, check, values in checks(policy):
            if options.only not in name:
                continue
            begun = time.monotonic()
            result, problem = "passed", ""
            try:
                check(chart, *values)
            except Skipped as skipped:
                result, problem = "skipped", str(skipped)
            except Wrong as wrong:
                result, problem = "failed", str(wrong)
            except Exception:
                result, problem = "failed", traceback.format_exc()
            print(f"{result:7} {name} ({time.monotonic() - begun:.1f} s)", flush=True)
            if problem:
                print("    " + problem.strip().replace("\n", "\n    "), flush=True)
            counts[result] += 1
    print(
        f"{counts['passed']} passed, {counts['failed']} failed"
        + (f", {counts['skipped']} skipped" if counts["skipped"] else "")
    )
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
