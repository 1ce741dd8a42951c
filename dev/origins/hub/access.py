"""Who may see what: from a request's URL and token to a repository and a commit, or the Hub's error."""

from typing import cast

from aiohttp import web

from dev.origins.hub import errors
from dev.origins.hub.repository import Commit, File, Kind, Repository
from dev.origins.hub.state import STATE, State


def token_of(request: web.Request) -> str | None:
    """The caller's token, None without one; an unknown token is an error wherever it is used."""
    header = request.headers.get("Authorization")
    if header is None:
        return None
    token = header.removeprefix("Bearer ").strip()
    if token not in request.app[STATE].tokens:
        raise errors.bad_token()
    return token


def repository_of(request: web.Request) -> Repository:
    """The repository that the URL names, if this caller may know of it."""
    state, token = request.app[STATE], token_of(request)
    kind = cast(Kind, request.match_info.get("kind", "models").removesuffix("s"))
    name = "{org}/{name}".format_map(request.match_info)
    if name in state.moved:
        raise web.HTTPTemporaryRedirect(request.raw_path.replace(name, state.moved[name], 1))
    found = state.repositories.get((kind, name))
    if found is None or (found.private and not _opens(state, token, found)):
        raise errors.repository_not_found(token is not None)
    return found


def commit_of(request: web.Request, repository: Repository) -> Commit:
    """The commit that the URL names, `main` when it names none."""
    revision = request.match_info.get("revision", "main")
    found = repository.find(revision)
    if found is None:
        raise errors.revision_not_found(revision)
    return found


def readable(request: web.Request) -> Repository:
    """The repository that the URL names, if this caller may read its files.

    Gating closes files only: like the Hub, ours shows a gated repository's description and tree to everyone.
    """
    repository = repository_of(request)
    if repository.gated and not _opens(request.app[STATE], token_of(request), repository):
        raise errors.gated(repository.id, token_of(request) is not None)
    return repository


def file_of(request: web.Request) -> tuple[Repository, Commit, File]:
    """The file that the URL names, if this caller may read it."""
    repository = readable(request)
    commit = commit_of(request, repository)
    path = request.match_info["path"]
    if path not in commit.files:
        raise errors.entry_not_found(path)
    return repository, commit, commit.files[path]


def signed_file(request: web.Request) -> File | None:
    """The file that a signed URL names: whoever holds the URL may read it, no token is looked at."""
    kind: Kind = "dataset" if request.match_info["kind"] == "datasets" else "model"
    name = "{org}/{name}".format_map(request.match_info)
    repository = request.app[STATE].repositories.get((kind, name))
    commit = repository.find(request.match_info["revision"]) if repository else None
    return commit.files.get(request.match_info["path"]) if commit else None


def _opens(state: State, token: str | None, repository: Repository) -> bool:
    if token is None:
        return False
    granted = state.tokens[token]
    return granted is None or repository.id in granted
