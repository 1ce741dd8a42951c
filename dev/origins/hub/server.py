"""A Hub with repositories, a CDN and Xet's CAS: what tests and the command line both start."""

import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from dev.origins.hub import admin, api, cas, files
from dev.origins.hub.errors import HubError
from dev.origins.hub.repository import Repository
from dev.origins.hub.routing import Call, Route
from dev.origins.hub.state import State
from dev.origins.serving.log import Entry
from dev.origins.serving.messages import Answer, Request, Role
from dev.origins.serving.server import Reply, Server


class HubServer(Server):
    """A Hub-compatible server, to use in a `with`; repositories may change as it runs."""

    def __init__(
        self,
        *repositories: Repository,
        host: str = "127.0.0.1",
        port: int = 0,
        cdn_port: int | None = 0,
        cas_port: int | None = 0,
        rate: float | None = None,
        tokens: Mapping[str, Iterable[str] | None] | None = None,
        page_size: int = 50,
        link_lifetime: float = 3600.0,
        certificate: tuple[Path, Path] | None = None,
    ) -> None:
        """Prepare a server; port 0 takes a free one, None serves the CDN or Xet's CAS on the Hub's own port.

        `tokens` gives for each valid token the gated and private repositories that it opens, None for all.
        `rate` is in bytes per second, `link_lifetime` in seconds; `certificate` names the PEM files of a
        chain and its key.
        """
        wanted = {"hub": port, "cdn": cdn_port, "cas": cas_port}
        own = {name: number for name, number in wanted.items() if number is not None}
        super().__init__(own, host=host, rate=rate, certificate=certificate)
        urls = self.urls()
        self.url, self.cdn_url, self.cas_url = (urls.get(name, urls["hub"]) for name in wanted)
        opened = {token: None if ids is None else frozenset(ids) for token, ids in (tokens or {}).items()}
        self.state = State(tokens=opened, page_size=page_size)
        self.state.signer.lifetime = link_lifetime
        self.state.cdn_port, self.state.cas_port = (
            urlsplit(urls[name]).port if name in urls else None for name in ("cdn", "cas")
        )
        self._routes: dict[str, list[Route]] = {
            "hub": api.routes() + files.routes() + cas.routes() + admin.routes(),
            "cdn": files.cdn_routes(),
            "cas": cas.cas_routes(),
        }
        for name in wanted.keys() - own.keys():
            self._routes["hub"] += self._routes[name]
        for repository in repositories:
            self.add(repository)

    def add(self, repository: Repository) -> Repository:
        """Serve a repository, in place of one of the same kind and name."""
        self.state.repositories[repository.kind, repository.id] = repository
        return repository

    def bytes_sent(self, path: str | None = None) -> int:
        """Bytes of content sent so far, of one file of a repository or of all."""
        return self.log.sent(path)

    def answer(self, request: Request) -> Reply:
        """The answer of the first route whose form the path has."""
        for each in self._routes[request.listener]:
            match = each.match(request)
            if match is None:
                continue
            try:
                answer = each.handler(Call(server=self, request=request, match=match))
            except HubError as error:
                answer = error.answer()
            # A HEAD would use up a fault that is meant for bytes.
            heads = request.method == "HEAD" and each.role is Role.DATA
            return Role.HEAD if heads else each.role, match.get("path", ""), _named(answer)
        return Role.INFORMATION, "", _named(Answer.of(b"404: Not Found", status=404, kind="text/plain"))

    def change(self, answer: Answer, request: Request, role: Role, path: str) -> Entry:
        """Record and change; the server's own routes are neither recorded nor struck."""
        if request.path.startswith(admin.PREFIX):
            return Entry(number=0, request=request, role=role, path=path, listener=request.listener)
        return super().change(answer, request, role, path)

    def asked(self, request: Request) -> str:
        """Where one port serves all, the paths of the CDN and of the CAS count as theirs."""
        if request.path.startswith(cas.PREFIXES):
            return "cas"
        return "cdn" if request.path.startswith("/repos/") else request.listener


def _named(answer: Answer) -> Answer:
    """Give an answer the id that the Hub's clients print with an error."""
    answer.headers["X-Request-Id"] = f"Root=1-{uuid.uuid4()}"
    return answer
