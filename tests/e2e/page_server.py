"""The page's server on loopback beside the real API server, run as the chart's Pod runs it, and users."""

import asyncio
import base64
import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

from dev import kube, kube_api
from tests.e2e import release
from tests.page import browsing

SECONDS = 90
"""For what needs a worker's Pod, on a machine that does much else."""
_RBAC = "rbac.authorization.k8s.io"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer that was read whole."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        """The body as JSON data."""
        return json.loads(self.text)


class PageServer:
    """`modelsync web`; to use in a `with`."""

    def __init__(self, folder: Path) -> None:
        self._command = _command(folder, _free_port())
        self.port = int(self._command[self._command.index("--port") + 1])
        self.address = f"http://localhost:{self.port}/"
        self._log = folder / "web.log"
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "PageServer":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(signal.SIGTERM)

    def start(self) -> None:
        """Start the process, and wait until it answers."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=log)
        kube.eventually(self._answers, 60, "the page's server answers")

    def stop(self, number: signal.Signals) -> None:
        """End the process by a signal."""
        assert self.process is not None
        self.process.send_signal(number)
        self.process.wait(20)

    def log(self) -> str:
        """All that it logged."""
        return self._log.read_text()

    def ask(
        self,
        method: str,
        path: str,
        token: str | None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request with a bearer token, again and again while the rate limit refuses it."""
        given = {"X-Requested-With": "modelsync", "Content-Type": "application/json", **(headers or {})}
        if token is not None:
            given["Authorization"] = f"Bearer {token}"
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(self.address + path.lstrip("/"), data, given, method=method)
        try:
            with _opened(asked) as answer:
                return Answer(status=answer.status, headers=dict(answer.headers), text=answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(status=error.code, headers=dict(error.headers), text=error.read().decode())

    def stream(
        self, token: str, path: str = "/api/v1/events", headers: Mapping[str, str] | None = None
    ) -> HTTPResponse:
        """An open stream of events, to be closed."""
        given = {"Authorization": f"Bearer {token}", **(headers or {})}
        asked = urllib.request.Request(self.address + path.lstrip("/"), headers=given)
        return _opened(asked)

    def _answers(self) -> bool:
        assert self.process is not None and self.process.poll() is None, self.log()
        try:
            with urllib.request.urlopen(f"{self.address}healthz", timeout=5):
                return True
        except OSError:
            return False


def _opened(asked: urllib.request.Request) -> HTTPResponse:
    while True:
        try:
            found = urllib.request.urlopen(asked, timeout=60)
        except urllib.error.HTTPError as error:
            if error.code != HTTPStatus.TOO_MANY_REQUESTS:
                raise
            with error:
                time.sleep(float(error.headers["Retry-After"]))
        else:
            assert isinstance(found, HTTPResponse)
            return found


def visit(
    server: PageServer,
    token: str | None,
    test: Callable[[browsing.Window], Awaitable[None]],
    seconds: float = 400,
) -> None:
    """Open the page in Chromium, log in where a token is given, and run a test on it."""

    async def whole() -> None:
        async with asyncio.timeout(seconds), browsing.opened(server.address) as window:
            window.page.set_default_timeout(SECONDS * 1000)
            if token is not None:
                await window.log_in(token)
            await test(window)

    asyncio.run(whole())


def user(name: str, namespace: str, role: str = "edit") -> str:
    """A ServiceAccount with a ClusterRole in its namespace; returns a token of it."""
    meta = {"name": name, "namespace": namespace}
    kube.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta},
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "RoleBinding",
            "metadata": meta,
            "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
        },
    )
    return kube_api.token(namespace, name)


def _free_port() -> int:
    """A port that stays the same when the server is started again."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _command(folder: Path, port: int) -> list[str]:
    shown = kube.kubectl("config", "view", "--raw", "--minify", "--flatten", "-o", "json")
    cluster = json.loads(shown)["clusters"][0]["cluster"]
    authority = folder / "ca.crt"
    authority.write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
    return [
        sys.executable, "-m", "modelsync", "web", "--listen", "127.0.0.1", "--port", str(port),
        "--allowed-host", "localhost", "--api-server", cluster["server"], "--ca-file", str(authority),
        "--operator-namespace", release.SYSTEM, "--log-level", "debug",
        "--session-key-file", str(folder / "key"),
    ]  # fmt: skip
