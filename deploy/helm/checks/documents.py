"""What the documents name exists: links, files, commands and their options, settings, metrics, questions, tests, log lines."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import yaml

import metrics
import settings

# Folders whose files a document may name.
FOLDERS = ("Sources", "Tests", "benchmarks", "deploy", "docs", "integration")
GENERATED = re.compile(r"/\.|__pycache__")
# Programs of ours that are Python behind a wrapper of the same name.
TOOLS = re.compile(r"(?:integration|benchmarks)/[\w-]+$|deploy/helm/check$")
# Kafka Streams' settings, which begin like ours.
STREAMS = {"application.server", "commit.interval.ms"}
ASSIGNMENT = re.compile(r"[A-Z_]+=\S*$")


def slug(heading: str) -> str:
    """A heading's anchor, as GitHub makes it."""
    return re.sub(r"[^\w -]", "", heading.replace("`", "")).strip().lower().replace(" ", "-")


def common(metric: str) -> str:
    """A metric by the name that the documents have, which is a histogram's without its endings."""
    return re.sub(r"_seconds_(bucket|sum|count)$", "_seconds", metric)


@dataclass
class Document:
    path: Path
    text: str

    @cached_property
    def blocks(self) -> list[str]:
        """What stands in fences, lines that go on joined."""
        found = re.findall(r"^```\w*\n(.*?)^```", self.text, re.MULTILINE | re.DOTALL)
        return [block.replace("\\\n", " ") for block in found]

    @cached_property
    def prose(self) -> str:
        return re.sub(r"^```\w*\n.*?^```", "", self.text, flags=re.MULTILINE | re.DOTALL)

    @cached_property
    def spans(self) -> list[str]:
        """What stands in backquotes, in the prose."""
        return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", self.prose)]

    @cached_property
    def anchors(self) -> set[str]:
        return {slug(heading) for heading in re.findall(r"^#+ (.*)$", self.prose, re.MULTILINE)}

    @cached_property
    def commands(self) -> list[list[str]]:
        """Each simple command of blocks and backquotes, as words, without variables and substitutions."""
        found = []
        for line in [line for block in self.blocks for line in block.splitlines()] + self.spans:
            try:
                lexer = shlex.shlex(line, posix=True, punctuation_chars="|;&()<>")
                lexer.whitespace_split = True
                words = list(lexer)
            except ValueError:  # an apostrophe: a sentence, and no command
                continue
            command: list[str] = []
            for word in [*words, ";"]:
                if re.fullmatch(r"[|;&()<>]+", word):
                    found.append(command)
                    command = []
                elif command or not (ASSIGNMENT.match(word) or word in ("do", "alias", "export")):
                    command.append(word)
        return [command for command in found if command]


@dataclass
class Project:
    """What there is. `help_of` gives a command's help, None for a command that does not exist."""

    root: Path
    help_of: Callable[[tuple[str, ...]], str | None] | None

    @cached_property
    def files(self) -> list[str]:
        found = [str(file.relative_to(self.root)) for folder in FOLDERS for file in (self.root / folder).rglob("*")]
        return [name for name in found if not GENERATED.search("/" + name)] + ["README.md", "Makefile", "Package.swift"]

    @cached_property
    def documents(self) -> dict[str, Document]:
        return {
            name: Document(self.root / name, (self.root / name).read_text())
            for name in self.files
            if name.endswith(".md")
        }

    @cached_property
    def settings(self) -> set[str]:
        return {row["key"] for row in settings.rows(self.root / "docs/configuration.md")}

    @cached_property
    def values(self) -> set[str]:
        """The chart's values, by their paths."""

        def paths(values: dict, prefix: str = "") -> Iterator[str]:
            for key, value in values.items():
                yield prefix + key
                if isinstance(value, dict):
                    yield from paths(value, f"{prefix}{key}.")

        return set(paths(yaml.safe_load((self.root / "deploy/helm/payload-tracker/values.yaml").read_text())))

    @cached_property
    def metrics(self) -> set[str]:
        """The program's metrics, histograms by their common name."""
        names = (name for name in metrics.in_code(self.root / "Sources") if name.startswith(metrics.PREFIX))
        return {common(name) for name in names}

    @cached_property
    def said(self) -> str:
        """The code, with texts that stand there in pieces joined, and an ellipsis for what is put into them."""
        sources = (self.root / name for name in self.files if re.match(r"Sources/.*\.swift$", name))
        joined = re.sub(r'"\s*\+\s*"|\\\n\s*', "", "\n".join(source.read_text() for source in sources))
        return re.sub(r"\\\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)", "…", joined)

    @cached_property
    def targets(self) -> set[str]:
        return set(re.findall(r"^([\w-]+):", (self.root / "Makefile").read_text(), re.MULTILINE))

    @cached_property
    def scenarios(self) -> set[str]:
        return {
            node.name.replace("_", "-")
            for file in (self.root / "integration/scenarios").glob("*.py")
            for node in ast.parse(file.read_text()).body
            if isinstance(node, ast.FunctionDef) and any("scenario" in ast.dump(mark) for mark in node.decorator_list)
        }

    def options_of_tool(self, tool: str) -> set[str] | None:
        """The options that a Python program of ours takes, those of the files that it imports from beside it included."""
        path = self.root / tool
        if tool == "deploy/helm/check":
            path = path.parent / "checks/run"
        start = path.with_name(path.name.replace("-", "_") + ".py")
        if not (self.root / tool).exists() or not start.exists():
            return None
        found, seen, waiting = {"--help"}, set(), [start]
        while waiting:
            file = waiting.pop()
            if file in seen or not file.exists():
                continue
            seen.add(file)
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.ImportFrom) and node.module:
                    waiting.append(file.with_name(f"{node.module}.py"))
                elif isinstance(node, ast.Import):
                    waiting += [file.with_name(f"{name.name}.py") for name in node.names]
                elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "add_argument":
                    found |= {argument.value for argument in node.args if isinstance(argument, ast.Constant)}
        return found

    def knows_setting(self, name: str) -> bool:
        if name.startswith(("kafka.", "stall.after.")) or name in STREAMS:
            return True
        if name.endswith(".*"):
            return any(key.startswith(name[:-1]) for key in self.settings | self.values)
        return name in self.settings | self.values or name == "config"


def links(project: Project) -> list[str]:
    """Links between documents, with their anchors."""
    found = []
    for name, document in project.documents.items():
        for target in re.findall(r"\]\((?!https?:)([^)\s]*)\)", document.prose):
            path, _, anchor = target.partition("#")
            file = (document.path.parent / path).resolve() if path else document.path
            if not file.exists():
                found.append(f"{name} links to {target}, which is not there")
            elif anchor and file.suffix == ".md" and anchor not in Document(file, file.read_text()).anchors:
                other = file.relative_to(project.root.resolve())
                found.append(f"{name} links to {target}, but {other} has no such heading")
    return found


def files(project: Project) -> list[str]:
    """Paths from the project's directory; in backquotes, also the end of a path."""
    found = []
    known = set(project.files)
    for name, document in project.documents.items():
        for path in re.findall(rf"(?<![\w./-])(?:{'|'.join(FOLDERS)})/[\w./+-]*\w", document.text):
            if not (project.root / path).exists():
                found.append(f"{name} names {path}, which is not there")
        for span in document.spans:
            if re.fullmatch(r"[\w./+-]+\.(swift|py|proto|html)", span) and not any(
                file == span or file.endswith("/" + span) for file in known
            ):
                found.append(f"{name} names {span}, and no file is called that")
    return found


def commands(project: Project) -> list[str]:
    """Commands of the program, of integration/ and benchmarks/, and of make, with their options."""
    found = []
    for name, document in project.documents.items():
        for words in document.commands:
            program = words[0].removeprefix("./")
            options = {word.split("=")[0] for word in words[1:] if re.match(r"--?[a-z]", word)}
            place = f"{name}: {' '.join(words)}"
            if program == "make":
                unknown = {word for word in words[1:] if "=" not in word} - project.targets
                if unknown:
                    found.append(f"{place}: the Makefile has no {', '.join(sorted(unknown))}")
            elif program.rpartition("/")[2] == "payload-tracker" and "deploy/" not in program and len(words) > 1:
                found += [f"{place}: {problem}" for problem in program_problems(project, words[1:], options)]
            elif TOOLS.match(program):
                takes = project.options_of_tool(program)
                if takes is None:
                    # Named as a file; whether it is there is looked at elsewhere.
                    continue
                if options - takes:
                    found.append(f"{place}: it takes no {', '.join(sorted(options - takes))}")
            if program != "helm":
                found += [
                    f"{place}: there is no setting {key}" for key in set_in(words) if not project.knows_setting(key)
                ]
            else:
                found += [
                    f"{place}: the chart has no value {key}" for key in set_in(words) if key not in project.values
                ]
    return found


def program_problems(project: Project, words: list[str], options: set[str]) -> list[str]:
    if project.help_of is None:
        return []
    subcommand = tuple(word for word in words[:2] if re.fullmatch(r"[a-z-]+", word) and not word.startswith("-"))
    # `state get` is one command, `get nobody` is not.
    if subcommand[:1] != ("state",):
        subcommand = subcommand[:1]
    text = project.help_of(subcommand)
    if text is None:
        return ["there is no such command"]
    unknown = options - set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", text))
    return [f"it takes no {', '.join(sorted(unknown))}"] if unknown else []


def set_in(words: list[str]) -> Iterator[str]:
    """The keys of `--set key=value`."""
    for option, value in pairwise(words):
        if option == "--set" and "=" in value and value != "KEY=VALUE" and value != "key=value":
            yield value.partition("=")[0].replace("\\", "")


def named_settings(project: Project) -> list[str]:
    """Settings, their variables and the chart's values."""
    found = []
    beginnings = {key.split(".")[0] for key in project.settings | {"kafka", "stall"}}
    variables = {"PAYLOAD_TRACKER_" + re.sub(r"[.-]", "_", key).upper() for key in project.settings}
    variables |= {"PAYLOAD_TRACKER_CONFIG", "PAYLOAD_TRACKER_SERVICE_HOST"}
    for name, document in project.documents.items():
        for span in document.spans:
            key = re.match(r"(?:config: )?([a-z][\w-]*(?:\.[\w*-]+)+)(?=$|[=:])", span)
            if not key or key[1].split(".")[0] not in beginnings or project.knows_setting(key[1]):
                continue
            # Or a file, perhaps one that is made at run time.
            if not key[1].endswith((".json", ".yaml", ".yml")):
                found.append(f"{name} names {key[1]}, which is no setting and no value of the chart")
        for variable in re.findall(r"PAYLOAD_TRACKER_[A-Z_]*[A-Z]", document.text):
            if variable not in variables and not re.match(r"PAYLOAD_TRACKER_(KAFKA|STALL_AFTER)_", variable):
                found.append(f"{name} names {variable}, which is no setting's")
    return found


def named_metrics(project: Project) -> list[str]:
    """Metrics that the documents have and the code does not; and docs/operations.md has all of the code."""
    known = project.metrics
    found = []
    for name, document in project.documents.items():
        for metric in re.findall(rf"\b{metrics.PREFIX}\w+", document.text):
            if common(metric) not in known:
                found.append(f"{name} names {metric}, and the code has no such metric")
        for span in document.spans:
            # "…_open_stores" beside a whole name in the same table.
            if re.fullmatch(r"…_\w+", span) and not any(metric.endswith(span[1:]) for metric in known):
                found.append(f"{name} names {span}, and no metric ends like that")
    operations = project.documents["docs/operations.md"]
    for metric in sorted(known):
        ends = (span[1:] for span in operations.spans if span.startswith("…_"))
        if metric not in operations.text and not any(metric.endswith(end) for end in ends):
            found.append(f"docs/operations.md lacks the metric {metric}")
    return found


def questions(project: Project) -> list[str]:
    """Paths of the HTTP endpoint are in docs/openapi.yaml."""
    described = yaml.safe_load((project.root / "docs/openapi.yaml").read_text())["paths"]
    patterns = [re.compile(re.sub(r"\{\w+\}", "[^/]+", path) + "$") for path in described]
    found = []
    for name, document in project.documents.items():
        texts = [span.removeprefix("GET ") for span in document.spans if re.match(r"(GET )?/(v1|api/v1)/", span)]
        texts += re.findall(r"localhost:8080(/(?:v1|api)[^\s\"'?`]*)", document.text)
        for text in texts:
            path = re.split(r"[?…#]", text)[0].rstrip("/")
            if not any(pattern.match(path) for pattern in patterns):
                found.append(f"{name} asks {path}, which docs/openapi.yaml does not have")
    return found


def tests(project: Project) -> list[str]:
    """Unit tests and scenarios that the documents take for evidence."""
    suites = {Path(name).stem: (project.root / name) for name in project.files if name.startswith("Tests/")}
    found = []
    for name, document in project.documents.items():
        # In a list, `.other` belongs to the suite that was named last.
        suite = None
        for span in document.spans:
            match = re.fullmatch(r"(\w+Tests)?(?:\.(\w+)(…)?)?", span)
            if not match or (not match[1] and not (match[2] and suite)):
                continue
            suite = match[1] or suite
            if suite not in suites:
                found.append(f"{name} names the tests {suite}, which are not there")
                suite = None
            elif match[2]:
                function = rf"func {match[2]}" + ("" if match[3] else r"\b")
                if not re.search(function, suites[suite].read_text()):
                    found.append(f"{name} names {suite}.{match[2]}, which is not there")
        for listed in re.findall(r"\bscenarios? ((?:`[\w-]+`(?:, | and )?)+)", " ".join(document.prose.split())):
            for scenario in re.findall(r"`([\w-]+)`", listed):
                # As `integration/run --only` finds them.
                if not any(scenario in known for known in project.scenarios):
                    found.append(f"{name} names the scenario {scenario}, which is not there")
    return found


def log_lines(project: Project) -> list[str]:
    """The log lines to act on of docs/operations.md are in the code, and the warnings and errors of the code are there."""
    text = project.documents["docs/operations.md"].text
    section = text.partition("## Log lines to act on")[2].partition("\n## ")[0]
    found = []
    for line in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE):
        for quoted in re.findall(r"`([^`]+)`", line):
            for clause in clauses(quoted):
                if clause not in project.said:
                    found.append(f"docs/operations.md has the log line {quoted!r}, but the code never says {clause!r}")
    for message in re.findall(r'logger\.(?:warning|error|critical)\(\s*"([^"\n]*)"', project.said):
        for clause in clauses(message):
            if clause not in section:
                found.append(
                    f"docs/operations.md lacks the log line {message!r}: what does it mean, what is to be done?"
                )
                break
    return found


def clauses(line: str) -> list[str]:
    """What of a log line is the same each time, in the pieces that are long enough to tell something."""
    pieces = (part.strip() for part in re.split(r"…|\bN\b|[;:,=()]", line))
    return [piece for piece in pieces if len(piece.split()) > 3]


CHECKS = [links, files, commands, named_settings, named_metrics, questions, tests, log_lines]
