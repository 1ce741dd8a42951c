"""Addresses of a Hub's pages, as people copy them from a browser, and the repository that they are about.

A page is HTML, whatever its address ends in: `/org/name/blob/main/model.safetensors` shows a file, and
`/org/name/resolve/main/model.safetensors` is the file. Only hosts that are known to be a Hub are judged,
since on any other server such a path may be a file.
"""

import re
import urllib.parse
from collections.abc import Iterable
from dataclasses import dataclass

HUBS = ("huggingface.co", "www.huggingface.co", "hf.co")
_OTHERS = {
    "api", "blog", "chat", "collections", "docs", "enterprise", "inference", "join", "learn", "login",
    "models", "new", "organizations", "papers", "posts", "pricing", "search", "settings", "spaces",
    "support", "tasks",
}  # fmt: skip
"""First parts of paths that are no owner of repositories."""
_OF_FILES, _PAGES = ("blob", "tree"), ("commit", "commits", "discussions", "edit", "settings")
_NAME = re.compile(r"[A-Za-z0-9_][-A-Za-z0-9_.]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a page is about."""

    repository: str
    dataset: bool
    revision: str = "main"
    pattern: str | None = None
    """Of the file, or of all below the folder."""

    @property
    def address(self) -> str:
        """The repository as `modelsync pull` takes it."""
        folder = "datasets/" if self.dataset else ""
        revision = "" if self.revision == "main" else f"@{self.revision}"
        return f"hf://{folder}{self.repository}{revision}"


def page(url: str, hubs: Iterable[str] = ()) -> Page | None:
    """The page of huggingface.co, or of further Hubs by their base URLs, that a URL leads to; None for all
    else, such as a file of a Hub."""
    bare = _without_scheme(re.split("[?#]", url, maxsplit=1)[0])
    for hub in (*HUBS, *map(_without_scheme, hubs)):
        base = hub.rstrip("/")
        if bare.startswith(f"{base}/"):
            return _page([urllib.parse.unquote(part) for part in bare.removeprefix(base).split("/") if part])
    return None


def _without_scheme(url: str) -> str:
    host, slash, path = url.rpartition("://")[2].partition("/")
    return host.lower() + slash + path


def _page(parts: list[str]) -> Page | None:
    dataset = parts[:1] == ["datasets"]
    parts = parts[dataset:]
    if not parts or parts[0] in _OTHERS:
        return None
    least = 1 if len(parts) == 1 or parts[1] in (*_OF_FILES, *_PAGES, "resolve", "raw") else 2
    repository, rest = parts[:least], parts[least:]
    if not all(map(_NAME.fullmatch, repository)):
        return None
    name = "/".join(repository)
    if not rest or rest[0] in _PAGES:
        return Page(repository=name, dataset=dataset)
    if rest[0] not in _OF_FILES or len(rest) == 1:
        return None
    path = "/".join(rest[2:])
    if path and rest[0] == "tree":
        path += "/"
    return Page(repository=name, dataset=dataset, revision=rest[1], pattern=path or None)
