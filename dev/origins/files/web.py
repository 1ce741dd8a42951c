"""The origin as a plain web server, and as a proxy that reaches nothing."""

from typing import TYPE_CHECKING

from dev.origins.serving.messages import Answer, Request, Role
from dev.origins.serving.ranges import file_answer

if TYPE_CHECKING:
    from dev.origins.files.origin import Origin

ROOT = "/web/"


def file(origin: "Origin", request: Request) -> tuple[Role, str, Answer]:
    """A file below /web/."""
    path = request.path.removeprefix(ROOT)
    role = Role.HEAD if request.method == "HEAD" else Role.DATA
    found = origin.files.get(path)
    if found is None:
        return role, path, Answer.of(b"not found", status=404)
    return role, path, file_answer(found, request)


def connect(origin: "Origin", request: Request) -> tuple[Role, str, Answer]:
    """A CONNECT to somewhere else."""
    return Role.CONNECT, "", Answer.of(b"", status=502)
