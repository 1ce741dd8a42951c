"""The documentation as values: its pages, their fenced blocks, the commands and the words in code font."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "STYLE.md")),
    *sorted(
        path
        for path in (ROOT / "docs").rglob("*.md")
        if path.parent.name != "decisions" and path.name != "benchmarks.md"
    ),
]
"""What describes the product as it is. Decisions and benchmarks describe the day on which they were made."""
PROGRAMS = (
    "buildah", "curl", "dev/", "docker", "echo", "git", "helm", "kill", "kind", "kubectl", "make",
    "modelsync", "pip", "python",
)  # fmt: skip
_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
_CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_FENCE_OR_CODE = re.compile(f"{_FENCE.pattern}|{_CODE.pattern}", _FENCE.flags)
_COMMENT = re.compile(r"\s+#\s.*$")


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block: its page below the root, its language ('' for none) and its text."""

    page: str
    language: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Command:
    """One command as a reader would paste it, with continuation lines joined and comments removed."""

    page: str
    text: str
    inline: bool = False
    """Whether it stands in code font within text, where it may be no more than a mention."""

    @property
    def id(self) -> str:
        """A name for a test."""
        return f"{Path(self.page).stem}: {self.text[:60]}"


def blocks(*languages: str) -> list[Block]:
    """All fenced blocks in these languages; of all languages if none is given."""
    return [
        Block(page=name(path), language=language, text=re.sub(rf"^{indent}", "", text, flags=re.MULTILINE))
        for path in PAGES
        for indent, language, text in _FENCE.findall(path.read_text(encoding="utf-8"))
        if not languages or language in languages
    ]


def commands() -> list[Command]:
    """Every command of every page."""
    return [command for path in PAGES for command in in_order(name(path))]


def in_order(page: str) -> Iterator[Command]:
    """A page's commands from top to bottom: blocks in `sh`, lines after `$ ` in `console`, and code font."""
    for found in _FENCE_OR_CODE.finditer((ROOT / page).read_text(encoding="utf-8")):
        indent, language, text, code = found.groups()
        if code is not None:
            if (
                " " in code
                and code.startswith(PROGRAMS)
                and not code.startswith("modelsync_")
                and not code.endswith(":")
            ):
                yield Command(page=page, text=code.replace(r"\|", "|"), inline=True)
        elif language in ("sh", "console"):
            text = re.sub(rf"^{indent}", "", text, flags=re.MULTILINE)
            for one in _split(text if language == "sh" else _typed(text)):
                yield Command(page=page, text=one)


@cache
def codes(path: Path) -> tuple[str, ...]:
    """What stands in code font in a page's text, outside of fenced blocks."""
    return tuple(_CODE.findall(_FENCE.sub("", path.read_text(encoding="utf-8"))))


def name(path: Path) -> str:
    """A page's path below the root."""
    return path.relative_to(ROOT).as_posix()


def _typed(text: str) -> str:
    return "\n".join(line[2:] for line in text.splitlines() if line.startswith("$ "))


def _split(text: str) -> Iterator[str]:
    """The commands of a script; a loop is one command."""
    open_loop: list[str] = []
    for line in text.replace("\\\n", " ").splitlines():
        line = _COMMENT.sub("", line)
        if not line.strip() or line.startswith("#"):
            continue
        if open_loop or line.startswith(("until ", "while ", "for ")):
            open_loop.append(line)
            if line != "done":
                continue
            line, open_loop = "\n".join(open_loop), []
        yield re.sub(r" {2,}", " ", line) if "\n" not in line else line
