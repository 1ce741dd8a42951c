"""From a request to what answers it: templates such as `/api/{kind:models|datasets}/{org}/{name}`."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from dev.origins.hub.state import State
from dev.origins.serving.messages import Answer, Request, Role

if TYPE_CHECKING:
    from dev.origins.hub.server import HubServer

_GROUP = re.compile(r"{(\w+)(?::([^}]+))?}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request, and the parts of its path that the route's template names."""

    server: "HubServer"
    request: Request
    match: dict[str, str]

    @property
    def state(self) -> State:
        """The server's."""
        return self.server.state

    def origin(self, port: int | None = None) -> str:
        """The origin as the client names it, at another port of the same host."""
        scheme, host = self.request.base.partition("://")[0], self.request.headers["host"]
        if port is not None:
            host = f"{host.rpartition(':')[0]}:{port}"
        return f"{scheme}://{host}"

    def flag(self, name: str) -> bool:
        """Whether a part of the query says true."""
        return self.request.query.get(name, "").lower() in ("true", "1")


Handler = Callable[[Call], Answer]


@dataclass(frozen=True, slots=True)
class Route:
    """A method and the form of a path; a GET serves a HEAD too."""

    method: str
    form: re.Pattern[str]
    role: Role
    handler: Handler

    def match(self, request: Request) -> dict[str, str] | None:
        """The named parts of a path, decoded; None where it has another form."""
        if request.method != self.method and (request.method, self.method) != ("HEAD", "GET"):
            return None
        found = self.form.fullmatch(request.raw_path)
        return {name: unquote(value) for name, value in found.groupdict().items()} if found else None


def route(method: str, template: str, role: Role, handler: Handler) -> Route:
    """A route of a template; a name without a form stands for one part between slashes."""
    form, last = "", 0
    for group in _GROUP.finditer(template):
        form += re.escape(template[last : group.start()]) + f"(?P<{group[1]}>{group[2] or '[^/]+'})"
        last = group.end()
    return Route(method, re.compile(form + re.escape(template[last:])), role, handler)
