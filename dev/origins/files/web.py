"""A plain web server: a part of `Origin`, and `WebOrigin` on its own."""

from collections.abc import Mapping
from pathlib import Path

from dev.origins.content import Content
from dev.origins.serving.messages import Answer, Object, Request, Role, objects
from dev.origins.serving.ranges import file_answer
from dev.origins.serving.server import Reply, Server

ROOT = "/web/"


class WebOrigin(Server):
    """A plain web server: each of `files` at its path below the root of `url`.

    Of a request to a proxy the host does not count, so it answers as one that reaches every host.
    """

    def __init__(
        self,
        files: Mapping[str, bytes | Content | Object] | None = None,
        *,
        certificate: tuple[Path, Path] | None = None,
    ) -> None:
        super().__init__({"origin": 0}, certificate=certificate)
        self.files = objects(files or {})
        (self.url,) = self.urls().values()

    def answer(self, request: Request) -> Reply:
        """The file, or a 404."""
        return file(self.files, request, root="/")


def file(files: Mapping[str, Object], request: Request, *, root: str) -> tuple[Role, str, Answer]:
    """A file below the root."""
    path = request.path.removeprefix(root)
    role = Role.HEAD if request.method == "HEAD" else Role.DATA
    found = files.get(path)
    if found is None:
        return role, path, Answer.of(b"not found", status=404)
    return role, path, file_answer(found, request)


def connect() -> tuple[Role, str, Answer]:
    """A CONNECT to somewhere else."""
    return Role.CONNECT, "", Answer.of(b"", status=502)
