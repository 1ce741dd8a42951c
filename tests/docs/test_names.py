"""What the documentation names exists: headings of links, fields, values, metrics, variables, paths."""

import re
from functools import cache
from pathlib import Path

import pytest

from dev.docs import metrics_reference
from modelsync.settings import configuration
from tests.docs import schemas
from tests.docs.pages import PAGES, ROOT, codes, name

FIELDS = {path for path, _ in configuration.fields()}

SOURCES = ("operator", "charts", "dev", "examples", "crds", "tests")
OTHERS = {"HF_XET_RECONSTRUCTION_DOWNLOAD_BUFFER", "MINIO_DOMAIN", "userProject"}
"""Words in code font that are not ours, and that our sources need not hold."""
_WORD = re.compile(r"[A-Z][a-z]+(?:[A-Z][a-z0-9]*)+|[a-z]+(?:[A-Z][a-z0-9]+)+|[A-Z][A-Z0-9]+(?:_[A-Z0-9]+)+")
"""A reason or kind, a field or value, a variable."""


def each_page() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("page", PAGES, ids=name)


@pytest.fixture(scope="module")
def words() -> frozenset[str]:
    """All words of the sources, without those of these tests."""
    found: set[str] = set()
    for top in SOURCES:
        for path in (ROOT / top).rglob("*"):
            if path.suffix in {
                ".py",
                ".js",
                ".yaml",
                ".json",
                ".tpl",
                ".sh",
                ".txt",
            } and "tests/docs" not in str(path):
                found.update(re.findall(r"\w+", path.read_text(encoding="utf-8")))
    return frozenset(found)


@each_page()
def test_an_identifier_in_code_font_occurs_in_the_sources(page: Path, words: frozenset[str]) -> None:
    if "Made by" in page.read_text(encoding="utf-8"):
        return  # from the sources
    named = {word for code in codes(page) for word in _WORD.findall(code)}
    assert sorted(named - words - OTHERS) == []


@each_page()
def test_a_field_exists(page: Path) -> None:
    fields = {
        found
        for code in codes(page)
        for found in re.findall(r"(?<![\w./])(?:spec|status)\.[a-z][\w.\[\]]*", code)
    }
    unknown = [
        path for path in fields if not any(schemas.has_field(kind, _plain(path)) for kind in schemas.CRDS)
    ]
    assert sorted(unknown) == []


@each_page()
def test_a_value_of_the_chart_exists(page: Path) -> None:
    if "Made by" in page.read_text(encoding="utf-8"):
        return  # from the sources, also of fields of the configuration
    tops = "|".join(sorted({*schemas.DEFAULTS, *schemas.DEFAULTS["config"]} - {"env", "affinity"}))
    named = {
        found
        for code in codes(page)
        for found in re.findall(rf"^({tops})\.([\w.]+)(?:=.*)?$", code)
        if not code.endswith((".py", ".yaml", ".md", ".json", ".modelsync.dev"))
    }
    if page.name == "operator.md":  # whose names are the fields of the configuration document
        named = {(top, rest) for top, rest in named if f"{top}.{rest}" not in FIELDS}
    assert sorted(f"{top}.{rest}" for top, rest in named if not _value(f"{top}.{rest}")) == []


@each_page()
def test_a_metric_exists(page: Path) -> None:
    named = set(re.findall(r"\bmodelsync_\w+\b", " ".join(codes(page))))
    named = {found for found in named if not found.endswith("_")} - _modules() - {"modelsync_sync"}
    assert {re.sub("_(total|bucket|count|sum)$", "", found) for found in named} <= _families()


@each_page()
def test_a_path_of_the_repository_exists(page: Path) -> None:
    named = {
        found
        for code in codes(page)
        for found in re.findall(r"^(?:charts|crds|dev|docs|examples|operator|tests)/[\w./-]*$", code)
    }
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md"], ids=name)
def test_links_lead_to_headings(page: Path) -> None:
    broken = []
    for file, anchor in re.findall(r"\]\(([^)#: ]*)#([^)]+)\)", page.read_text(encoding="utf-8")):
        target = (page.parent / file) if file else page
        if anchor not in _anchors(target):
            broken.append(f"{file}#{anchor}")
    assert broken == []


@pytest.mark.parametrize("path", ["README.md", *(name(path) for path in PAGES if "docs/" in name(path))])
def test_every_page_is_reached_from_the_first_one(path: str) -> None:
    assert path in _reachable()


def test_a_page_opens_with_its_title_and_a_sentence() -> None:
    for page in PAGES:
        lines = [
            line for line in page.read_text(encoding="utf-8").splitlines() if line and "<!--" not in line
        ]
        assert lines[0].startswith("# "), name(page)
        assert not lines[1].startswith(("#", "|", "```")), f"{name(page)}: say first what the page is for"


@cache
def _families() -> frozenset[str]:
    return frozenset(family.name for family, _ in metrics_reference._families())


@cache
def _modules() -> frozenset[str]:
    return frozenset(path.stem for path in (ROOT / "operator").rglob("*.py"))


def _plain(path: str) -> str:
    return re.sub(r"\[\w*\]", "", path).rstrip(".")


def _value(path: str) -> bool:
    """Whether the schema of the chart's values has the path; a map takes any key."""
    node = schemas.VALUES
    for part in path.split("."):
        if part in node.get("properties", {}):
            node = node["properties"][part]
        elif isinstance(node.get("additionalProperties"), dict):
            node = node["additionalProperties"]
        else:
            return node is not schemas.VALUES and "properties" not in node
        while "$ref" in node:
            found = schemas.VALUES
            for step in node["$ref"].removeprefix("#/").split("/"):
                found = found[step]
            node = found
    return True


@cache
def _anchors(page: Path) -> frozenset[str]:
    """The anchors that GitHub makes of headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return frozenset(re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings)


@cache
def _reachable() -> frozenset[str]:
    """The pages that links lead to, beginning with README."""
    seen: set[Path] = set()
    todo = [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        for target in re.findall(r"\]\(([^)#: ]+)", page.read_text(encoding="utf-8")):
            todo += [found for found in [(page.parent / target).resolve()] if found.is_file()]
    return frozenset(name(page) for page in seen)
