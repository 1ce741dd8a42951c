"""The house rules that a machine can check: sizes, generated files, what is not stored. Who imports whom is
checked by import-linter (`pyproject.toml`)."""

import ast
import builtins
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from dev.docs import __main__ as docs
from modelsync import errors
from modelsync.api.reasons import QueueReason, Reason
from modelsync.cli import crds
from modelsync.reading import reason_texts
from modelsync.worker.common import failures

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "operator" / "modelsync"
OURS = sorted(PACKAGE.rglob("*.py"))
CODE = sorted(path for top in ("operator", "dev", "tests") for path in (ROOT / top).rglob("*.py"))
WORDS = {
    **dict.fromkeys(("mend", "mends", "mended"), "fix"),
    **dict.fromkeys(("tell", "tells", "told", "telling"), "report, return, state, show"),
    **dict.fromkeys(("tell apart", "told apart"), "distinguish"),
    "untold": "unknown",
    "whoever": "anyone who",
    "anew": "again, from scratch",
    "farewell": "close_notify, the last report",
    **dict.fromkeys(("hence", "thereby", "whence"), "so, therefore"),
    "lest": "or, so that ... not",
    **dict.fromkeys(("amid", "midst"), "during, in the middle of"),
    "beneath": "under, below",
    "uttermost": "limit",
    "last words": "termination report",
    "in vain": "without an answer, without success",
    "small letters": "lower case",
    "for ever": "forever, indefinitely, without limit",
    "out of reach": "unreachable",
    **dict.fromkeys(("certification authority", "certification authorities"), "CA certificates"),
    **dict.fromkeys(("knock", "knocks", "knocked"), "request, connect"),
    **dict.fromkeys(("heed", "heeds", "heeded"), "use, respect"),
    **{
        f"{verb} {where}": "is, are, was"
        for verb in ("lies", "lie", "lay")
        for where in ("in", "on", "at", "there", "below", "under", "beside", "behind", "within")
    },
}
"""Quaint words, and those that engineers of this field expect (STYLE.md)."""
MODULE_LIMIT, FUNCTION_LIMIT = 400, 60
ONE_MODULE = {
    "kopf": {"runtime/cluster/watches.py"},
    "kubernetes": {"runtime/cluster/api_client.py", "kubectl/connection.py"},
}
"""One of the operator, one of the plugin."""
_Named = ast.Import | ast.ImportFrom | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
OPENERS = {"common/open_files.py", "storage/safe_directory.py", "engines/library/child_main.py"}
"""Of the worker: files, directories, and a process that imports nothing of ours."""
ENVIRONMENT_MODULES = {"settings/invocation.py", "settings/environment.py"}
# Written in pieces, so that this file does not find itself.
NEVER_STORED = {
    "a machine's path": re.compile("/(?:ro" + r"ot|wo" + r"rk|ho" + r"me/\w+)/"),
    "a registry's address": re.compile(
        r"py" + r"pi\.org|python" + r"hosted|proxy\." + r"golang\.org|registry\." + r"npmjs"
        r"|docker" + r"\.io|quay" + r"\.io|deb\." + r"debian\.org"
    ),
    "an index of packages": re.compile(r"--(?:extra-)?index" + r"-url|--find" + "-links"),
}  # fmt: skip


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def _parsed(path: Path) -> tuple[str | None, tuple[_Named, ...]]:
    """A module's docstring, and all that it imports and defines, wherever it does.

    The bodies of what is defined are dropped: nodes of all modules are a million objects, which the garbage
    collector would look through again and again. No expression imports, so none is looked into.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: list[_Named] = []
    left: list[ast.AST] = [tree]
    while left:
        node = left.pop()
        for field in ("body", "handlers", "orelse", "finalbody", "cases"):
            below = getattr(node, field, None)
            left += below if isinstance(below, list) else ()
        if isinstance(node, _Named):
            found.append(node)
    docstring = ast.get_docstring(tree)
    for one in found:
        if not isinstance(one, ast.Import | ast.ImportFrom):
            one.body = []
    return docstring, tuple(found)


def _imports(path: Path) -> Iterator[str]:
    """Every imported module; `from a import b` counts as `a.b`."""
    for node in _parsed(path)[1]:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{_name(path)}: relative imports hide who imports whom"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _users_of(names: tuple[str, ...], folder: Path) -> set[str]:
    """The modules below a folder that have one of the attributes `os.NAME`."""
    texts = {path: path.read_text(encoding="utf-8") for path in folder.rglob("*.py")}
    return {
        path.relative_to(folder).as_posix()
        for path, text in texts.items()
        if any(name in text for name in names)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
        and node.attr in names
    }


def _quaint(text: str) -> Iterator[re.Match[str]]:
    """Where a text has one of `WORDS`, also in names, where a '_' stands between them.

    The longest first. A search for each as plain text goes first, since few files have any."""
    plain = text.lower().replace("_", " ")
    present = sorted((word for word in WORDS if word in plain), key=len, reverse=True)
    if present:
        ordered = "|".join(present).replace(" ", "[ _]")
        yield from re.finditer(rf"(?<![a-z])({ordered})(?![a-z])", text, re.IGNORECASE)


def _tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_decisions_know_neither_clock_nor_world() -> None:
    world = {"asyncio", "kopf", "kubernetes", "logging", "os", "random", "socket", "subprocess", "time"}
    wrong = [
        f"{_name(path)} imports {name}"
        for path in (PACKAGE / "core").rglob("*.py")
        for name in _imports(path)
        if name.split(".")[0] in world
    ]
    assert wrong == []


@pytest.mark.parametrize(("library", "places"), ONE_MODULE.items())
def test_a_large_library_is_imported_in_one_module(library: str, places: set[str]) -> None:
    users = {
        path.relative_to(PACKAGE).as_posix()
        for path in OURS
        for name in _imports(path)
        if name.split(".")[0] == library
    }
    assert users == places


def test_the_environment_is_read_in_one_module() -> None:
    assert _users_of(("environ", "getenv", "environb"), PACKAGE) <= ENVIRONMENT_MODULES


def test_files_of_the_volume_are_opened_in_one_module() -> None:
    assert _users_of(("open",), PACKAGE / "worker") == OPENERS


@pytest.mark.parametrize("folder", ["operator/__init__.py", "tests/operator"])
def test_nothing_shadows_the_standard_library_operator(folder: str) -> None:
    assert not (ROOT / folder).exists()


def test_modules_and_functions_are_short() -> None:
    long = []
    for path in CODE:
        text = path.read_text(encoding="utf-8")
        if text.count("\n") > MODULE_LIMIT:
            long.append(f"{_name(path)}: {text.count(chr(10))} lines")
        for node in _parsed(path)[1]:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LIMIT:
                    long.append(f"{_name(path)}: {node.name} has {lines} lines")
    assert long == []


def test_words_are_those_of_the_field() -> None:
    kinds = {".py", ".md", ".yaml", ".yml", ".toml", ".js", ".html", ".css", ".tpl", ".txt", ".sh", ".go"}
    exempt = {"CHANGELOG.md", "STYLE.md", "tests/test_architecture.py", "tests/docs/test_words.py"}
    found = [
        f"{_name(path)}: {match[0]} (say: {WORDS[match[0].lower().replace('_', ' ')]})"
        for path in _tracked()
        if path.suffix in kinds and _name(path) not in exempt and "vendor" not in path.parts
        for match in _quaint(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def _exceptions() -> dict[str, set[str]]:
    """Every exception class of ours, as `package.module.Name`, with the names of its bases."""
    known = {name for name, found in vars(builtins).items() if isinstance(found, type)}
    known = {name for name in known if issubclass(vars(builtins)[name], BaseException)}
    classes = {
        f"{'.'.join(path.relative_to(PACKAGE).with_suffix('').parts)}.{node.name}": {
            ast.unparse(base).rpartition(".")[2] for base in node.bases
        }
        for path in OURS
        for node in _parsed(path)[1]
        if isinstance(node, ast.ClassDef)
    }
    found: dict[str, set[str]] = {}
    while more := {name: of for name, of in classes.items() if of & known and name not in found}:
        found |= more
        known |= {name.rpartition(".")[2] for name in more}
    return found


def _drawn(docstring: str) -> dict[str, str]:
    """The classes of a tree drawn in a docstring, as they stand there, with the class above each."""
    above, found = ["Exception"], dict[str, str]()
    for line in docstring.splitlines():
        branch = re.match(r"    ((?:│   |    )*)[├└]── ([\w.]+)", line)
        if branch is not None:
            depth = len(branch[1]) // 4
            above[depth + 1 :] = [branch[2].rpartition(".")[2]]
            found[branch[2]] = above[depth]
    return found


def test_every_exception_stands_in_one_of_two_trees() -> None:
    real = _exceptions()
    drawn = {**_drawn(errors.__doc__ or ""), **_drawn(failures.__doc__ or "")}
    drawn = {name: base for name, base in drawn.items() if not hasattr(builtins, name)}
    prose = set(re.findall(r"`(\w+\.\w+)`", failures.__doc__ or ""))
    named = {name: {one for one in real if f".{one}".endswith(f".{name}")} for name in drawn.keys() | prose}
    wrong = {name: base for name, base in drawn.items() if not any(base in real[one] for one in named[name])}
    assert wrong == {}, "no such class below that one: correct the tree"
    assert real.keys() - set().union(*named.values()) == set(), (
        "say in modelsync/errors.py or worker/common/failures.py who raises and who handles it"
    )


def test_modules_say_what_they_are_for() -> None:
    silent = [
        _name(path)
        for path in CODE
        if path.stat().st_size and not _parsed(path)[0]
        if path.name != "__init__.py"
    ]
    assert silent == []


def test_tests_of_decisions_use_no_mocks() -> None:
    users = [
        _name(path)
        for path in sorted((ROOT / "tests").rglob("*.py"))
        for name in _imports(path)
        if name.startswith("unittest.mock")
    ]
    assert users == []


@pytest.mark.parametrize("folder", ["crds", "charts/modelsync/files/crds"])
def test_the_crds_are_those_of_the_models(folder: str) -> None:
    found = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / folder).iterdir()}
    assert found == crds.rendered(), "run `make reference`"
    assert all(len(text.encode()) < 100_000 for text in found.values())


def test_the_reference_is_that_of_the_code() -> None:
    assert docs.stale() == [], "run `make reference`"


def test_every_reason_has_a_meaning_and_a_fix() -> None:
    groups = [reason for group in reason_texts.GROUPS.values() for reason in group]
    assert sorted(groups) == sorted(Reason)
    assert set(reason_texts.QUEUE) == set(QueueReason)


def test_links_between_pages_lead_somewhere() -> None:
    broken = [
        f"{_name(page)}: {target}"
        for page in [path for path in _tracked() if path.suffix == ".md"]
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert broken == []


def test_the_map_of_the_code_names_what_is_there() -> None:
    text = (ROOT / "docs" / "explanation" / "code.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:api|core|runtime|settings|worker|web|dev|tests)/[\w/]+(?:\.py)?)`", text))
    assert len(named) > 30
    assert [path for path in named if not (PACKAGE / path).exists() and not (ROOT / path).exists()] == []


@pytest.mark.parametrize("what", NEVER_STORED)
def test_the_repository_names_no_machine(what: str) -> None:
    found = []
    for path in _tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{_name(path)}: {match[0]}" for match in NEVER_STORED[what].finditer(text)]
    assert found == []
