"""The names of the metrics that the code has, and those that alerts and dashboards use."""

from __future__ import annotations

import re
from pathlib import Path

PREFIX = "payload_tracker_"
# Labels that Prometheus, its operator and Kubernetes add.
ADDED_LABELS = {"namespace", "job", "pod", "instance", "le"}

DECLARATION = re.compile(
    r"\b(Counter|FloatingPointCounter|Gauge|Meter|Recorder|Timer)\(\s*label:\s*\"([^\"]+)\"(.*?)\)\s*(?:\n|$)",
    re.DOTALL,
)
# What is read at a scrape: MetricSample(gauge: "name", [("label", …)], value).
SAMPLE = re.compile(r"\bMetricSample\(\s*(gauge|counter):\s*\"([^\"]+)\"(.*?)\)\s*(?:,?\n|\]|$)", re.DOTALL)
SUFFIXES = {
    "Counter": ["_total"],
    "counter": ["_total"],
    "FloatingPointCounter": ["_total"],
    "Timer": ["_seconds_bucket", "_seconds_sum", "_seconds_count"],
}


def in_code(sources: Path) -> dict[str, set[str]]:
    """Each metric as /metrics writes it, with its labels (Sources/QueryService/Metrics/PrometheusMetrics.swift)."""
    found: dict[str, set[str]] = {}
    for file in sorted(sources.rglob("*.swift")):
        text = file.read_text()
        for kind, label, rest in DECLARATION.findall(text) + SAMPLE.findall(text):
            labels = set(re.findall(r"\(\s*\"(\w+)\"\s*,", rest))
            for suffix in SUFFIXES.get(kind, [""]):
                found.setdefault(label + suffix, set()).update(labels)
    return found


def used_in(expression: str) -> dict[str, set[str]]:
    """The program's metrics in a PromQL expression, with the labels that are selected."""
    used: dict[str, set[str]] = {}
    for name, selector in re.findall(rf"\b({PREFIX}\w+)(?:\{{([^}}]*)\}})?", expression):
        used.setdefault(name, set()).update(re.findall(r"(\w+)\s*[=!]~?", re.sub(r'"[^"]*"', '""', selector)))
    return used


def problems(expressions: dict[str, str], known: dict[str, set[str]]) -> list[str]:
    """What the code does not have. `expressions` by where they stand."""
    found = []
    for place, expression in expressions.items():
        for name, labels in used_in(expression).items():
            if name not in known:
                found.append(f"{place}: the code has no metric {name}")
            elif unknown := labels - known[name] - ADDED_LABELS:
                found.append(f"{place}: {name} has no label {', '.join(sorted(unknown))}")
    return found
