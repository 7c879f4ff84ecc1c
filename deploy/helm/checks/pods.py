"""What every pod of the chart must keep to: the `restricted` Pod Security level, and our own promises."""

from __future__ import annotations

POD_KINDS = {"StatefulSet", "Deployment", "DaemonSet", "Job"}
# Kafka being away must end no instance, so only readiness asks for it.
PROBES = {"startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz"}


def pods(documents: list[dict]):
    """(name, pod spec) of everything that makes pods, hooks and the test pod included."""
    for document in documents:
        if document["kind"] in POD_KINDS:
            yield f"{document['kind']} {document['metadata']['name']}", document["spec"]["template"]["spec"]
        elif document["kind"] == "Pod":
            yield f"Pod {document['metadata']['name']}", document["spec"]


def problems(documents: list[dict]) -> list[str]:
    found = []
    for name, spec in pods(documents):
        security = spec.get("securityContext", {})
        expected = {
            "runAsNonRoot": security.get("runAsNonRoot") is True,
            "runAsUser that is not 0": security.get("runAsUser", 0) != 0,
            "seccompProfile RuntimeDefault": security.get("seccompProfile", {}).get("type") == "RuntimeDefault",
            "automountServiceAccountToken: false": spec.get("automountServiceAccountToken") is False,
            "enableServiceLinks: false": spec.get("enableServiceLinks") is False,
            "no host namespaces": not any(spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")),
            "only restricted volumes": all(
                set(volume) - {"name"}
                <= {"configMap", "secret", "emptyDir", "persistentVolumeClaim", "projected", "downwardAPI"}
                for volume in spec.get("volumes", [])
            ),
        }
        for container in spec["containers"] + spec.get("initContainers", []):
            own = container.get("securityContext", {})
            environment = {variable["name"]: variable for variable in container.get("env", [])}
            expected |= {
                "allowPrivilegeEscalation: false": own.get("allowPrivilegeEscalation") is False,
                "readOnlyRootFilesystem": own.get("readOnlyRootFilesystem") is True,
                "capabilities drop ALL": own.get("capabilities", {}) == {"drop": ["ALL"]},
                "a memory limit and requests": "memory" in container["resources"].get("limits", {})
                and {"cpu", "memory"} <= set(container["resources"].get("requests", {})),
                "SWIFT_BACKTRACE=enable=no": environment.get("SWIFT_BACKTRACE", {}).get("value") == "enable=no",
                "no secret as plain text": not any(
                    "value" in variable and ("PASSWORD" in key or "SECRET" in key)
                    for key, variable in environment.items()
                ),
                "each variable once": len(environment) == len(container.get("env", [])),
            }
            if name.startswith("StatefulSet"):
                asked = {kind: container.get(f"{kind}Probe", {}).get("httpGet", {}).get("path") for kind in PROBES}
                expected["probes that mean what docs/kubernetes.md says"] = asked == PROBES
                wait = container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", [])
                expected["5 s of answering before it stops, and 10 to stop"] = (
                    wait == ["/bin/sleep", "5"] and spec.get("terminationGracePeriodSeconds", 0) > 15
                )
        found += [f"{name} lacks: {what}" for what, holds in expected.items() if not holds]
    return found
