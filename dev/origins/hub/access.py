"""Who may see what: from a request's URL and token to a repository and a commit, or the Hub's error."""

from collections.abc import Mapping
from typing import cast

from dev.origins.hub import errors
from dev.origins.hub.repository import Commit, File, Kind, Repository
from dev.origins.hub.routing import Call
from dev.origins.hub.state import State


def token_of(call: Call) -> str | None:
    """The caller's token, None without one; an unknown token is an error wherever it is used."""
    header = call.request.headers.get("authorization")
    if header is None:
        return None
    token = header.removeprefix("Bearer ").strip()
    if token not in call.state.tokens:
        raise errors.bad_token()
    return token


def repository_of(call: Call) -> Repository:
    """The repository that the URL names, if this caller may know of it."""
    state, token = call.state, token_of(call)
    kind = cast(Kind, call.match.get("kind", "models").removesuffix("s"))
    name = "{org}/{name}".format_map(call.match)
    if name in state.moved:
        raise errors.Moved(call.request.target.replace(name, state.moved[name], 1))
    found = state.repositories.get((kind, name))
    if found is None or (found.private and not _opens(state, token, found)):
        raise errors.repository_not_found(token is not None)
    return found


def commit_of(call: Call, repository: Repository) -> Commit:
    """The commit that the URL names, `main` when it names none."""
    revision = call.match.get("revision", "main")
    found = repository.find(revision)
    if found is None:
        raise errors.revision_not_found(revision)
    return found


def readable(call: Call) -> Repository:
    """The repository that the URL names, if this caller may read its files.

    Gating closes files only: like the Hub, ours shows a gated repository's description and tree to everyone.
    """
    repository = repository_of(call)
    if repository.gated and not _opens(call.state, token_of(call), repository):
        raise errors.gated(repository.id, token_of(call) is not None)
    return repository


def file_of(call: Call) -> tuple[Repository, Commit, File]:
    """The file that the URL names, if this caller may read it."""
    repository = readable(call)
    commit = commit_of(call, repository)
    path = call.match["path"]
    if path not in commit.files:
        raise errors.entry_not_found(path)
    return repository, commit, commit.files[path]


def signed_file(call: Call) -> File:
    """The file that a signed URL names: anyone who has the URL may read it, without a token."""
    if not valid(call, call.request.path, call.request.query):
        raise errors.Expired
    kind: Kind = "dataset" if call.match["kind"] == "datasets" else "model"
    name = "{org}/{name}".format_map(call.match)
    repository = call.state.repositories.get((kind, name))
    commit = repository.find(call.match["revision"]) if repository else None
    if commit is None or call.match["path"] not in commit.files:
        raise errors.HubError(404, "NoSuchKey")
    return commit.files[call.match["path"]]


def valid(call: Call, path: str, query: Mapping[str, str]) -> bool:
    """Whether a query is signed for a path, and neither its time nor a fault has ended it."""
    expires, signature = query.get("Expires", ""), query.get("Signature", "")
    return signature not in call.server.rules.revoked and call.state.signer.valid(path, expires, signature)


def _opens(state: State, token: str | None, repository: Repository) -> bool:
    if token is None:
        return False
    granted = state.tokens[token]
    return granted is None or repository.id in granted
