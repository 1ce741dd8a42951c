"""Nothing stands in the code that no one reads: no field, no setting, no metric.

A field that is only written is a promise that nobody keeps, and a metric that nothing counts says that all
is well. What the code reads, the syntax tree shows: an attribute by this name, unless it is only handed on to
the same name of a value of ours (`Request(expires=request.expires)`).
"""

import ast
import inspect
import re
from functools import cache
from pathlib import Path

import prometheus_client as prometheus
import pytest

from modelsync import startup
from modelsync.runtime.telemetry import metrics
from modelsync.settings import configuration, environment

PACKAGE = Path(__file__).resolve().parent.parent / "operator" / "modelsync"
FOR_OTHERS = {
    "ModelSync": "the resource, for its schema",
    "SyncQueue": "the resource, for its schema",
    "ModelSyncStatus": "read by people, programs and printer columns",
    "ProgressStatus": "as above",
    "NetworkStatus": "as above",
    "Display": "as above",
    "QueueStatus": "as above",
    "LastFailure": "as above",
    "Artifact": "as above",
    "WorkerStatus": "as above",
    "SyncQueueStatus": "as above",
    "QueueDisplay": "as above",
    "Condition": "as above",
    "Resolved": "as above",
    "NetworkRate": "goes into the status as a whole",
    "Manifest": "a file for readers of the model",
    "ManifestFile": "as above",
    "PodTemplate": "goes into the Pod as a whole",
    "PodSecurityContext": "as above",
    "SELinuxOptions": "as above",
    "Toleration": "as above",
    "NodeSelectorRequirement": "as above",
    "NodeSelectorTerm": "as above",
    "NodeSelector": "as above",
    "PreferredSchedulingTerm": "as above",
    "NodeAffinity": "as above",
    "LabelSelectorRequirement": "as above",
    "LabelSelector": "as above",
    "PodAffinityTerm": "as above",
    "WeightedPodAffinityTerm": "as above",
    "PodAffinity": "as above",
    "PodAntiAffinity": "as above",
    "Affinity": "as above",
    "Page": "an answer of the REST API, for programs",
    "Network": "as above",
    "Permission": "compared with the chart's roles by a test",
}
"""Classes whose fields are read outside of this code, and by whom."""


@cache
def _nodes() -> dict[Path, list[ast.AST]]:
    """The syntax trees. They stay, so the garbage collector has nothing to look for in them."""
    with startup.loading():
        texts = {path: path.read_text(encoding="utf-8") for path in sorted(PACKAGE.rglob("*.py"))}
        return {path: list(ast.walk(ast.parse(text))) for path, text in texts.items()}


@cache
def _read() -> set[str]:
    """Every name that is read as an attribute or matched by a pattern."""
    ours = {owner for owner, _ in _fields()} | {"but", "replace"}
    names: set[str] = set()
    for nodes in _nodes().values():
        handed_on = {
            id(word.value)
            for call in nodes
            if isinstance(call, ast.Call) and _last_name(call.func) in ours
            for word in call.keywords
            if isinstance(word.value, ast.Attribute) and word.value.attr == word.arg
        }
        for node in nodes:
            if isinstance(node, ast.MatchClass):
                names.update(node.kwd_attrs)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                names.update(() if id(node) in handed_on else (node.attr,))
    return names | _read_by_the_page()


def _read_by_the_page() -> set[str]:
    """What the page's own scripts take of the REST API's values, by the names that Python has."""
    scripts = (PACKAGE / "web" / "static" / "js").glob("*.js")
    found = (re.findall(r"\.([a-z]\w*)", path.read_text(encoding="utf-8")) for path in scripts)
    return {_snake(name) for names in found for name in names}


def _last_name(called: ast.expr) -> str:
    """`f` of `a.f`."""
    if isinstance(called, ast.Attribute):
        return called.attr
    return called.id if isinstance(called, ast.Name) else ""


@cache
def _fields() -> tuple[tuple[str, str], ...]:
    """Class and field of all dataclasses and pydantic models."""
    return tuple(
        (node.name, line.target.id)
        for nodes in _nodes().values()
        for node in nodes
        if isinstance(node, ast.ClassDef) and _is_value(node)
        for line in node.body
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)
    )


def _is_value(node: ast.ClassDef) -> bool:
    marks = [ast.unparse(each) for each in (*node.decorator_list, *node.bases)]
    return any(re.match(r"(dataclasses\.)?dataclass|(base\.)?Value$", mark) for mark in marks)


def test_every_field_of_a_value_is_read() -> None:
    idle = [f"{owner}.{name}" for owner, name in _fields() if owner not in FOR_OTHERS and name not in _read()]
    assert idle == []


def test_exceptions_are_classes_that_exist() -> None:
    assert {owner for owner, _ in _fields()} >= FOR_OTHERS.keys()


@pytest.mark.parametrize("path", [path for path, _ in configuration.fields()])
def test_every_field_of_the_configuration_is_read_by_who_acts_on_it(path: str) -> None:
    assert tuple(_snake(word) for word in path.split("."))[-2:] in _read_outside_the_settings()


@cache
def _read_outside_the_settings() -> set[tuple[str, ...]]:
    """The last two names of each `a.b.c`, and the last one alone."""
    outside = [nodes for file, nodes in _nodes().items() if "settings" not in file.parts]
    chains = [_attributes(node) for nodes in outside for node in nodes if isinstance(node, ast.Attribute)]
    return {tuple(chain[-count:]) for chain in chains for count in (1, 2)}


def _snake(word: str) -> str:
    return re.sub("([A-Z])", lambda found: f"_{found[1].lower()}", word)


def _attributes(node: ast.expr) -> list[str]:
    """The names of `a.b.c`, a local variable's own name first."""
    if isinstance(node, ast.Attribute):
        return [*_attributes(node.value), node.attr]
    return [{"election": "leader_election"}.get(node.id, node.id)] if isinstance(node, ast.Name) else []


def _metric_attributes() -> dict[str, prometheus.Counter | prometheus.Gauge | prometheus.Histogram]:
    kinds = (prometheus.Counter, prometheus.Gauge, prometheus.Histogram)
    return {name: found for name, found in vars(metrics.Metrics()).items() if isinstance(found, kinds)}


@pytest.mark.parametrize("name", _metric_attributes())
def test_every_metric_is_counted_by_somebody(name: str) -> None:
    assert name in _read_by_functions()


@cache
def _read_by_functions() -> set[str]:
    inside = {"metrics.py": {"observe_request"}}
    return {
        node.attr
        for path, nodes in _nodes().items()
        for part in nodes
        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef)
        if part.name in inside.get(path.name, {part.name})
        for node in ast.walk(part)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
    }


NOT_GIVEN = {"DISABLE_MODEL_DOWNLOADS": "the operator starts no worker at all"}


def test_every_variable_of_a_worker_can_be_set_in_a_cluster() -> None:
    read = set(re.findall(r'variables\.get\("(\w+)"', inspect.getsource(environment.worker_environment)))
    given = {
        node.value
        for path, nodes in _nodes().items()
        if {"core", "runtime"} & set(path.relative_to(PACKAGE).parts)
        for node in nodes
        if isinstance(node, ast.Constant)
    }
    assert sorted(read - given - NOT_GIVEN.keys()) == []
