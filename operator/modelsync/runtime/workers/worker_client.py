"""Two ways to a worker's Pod: by its IP (in the cluster), or through the API server (from a laptop).

Both carry the attempt's key, follow no redirect, take no cookie, unpack nothing and read a bounded answer.
"""

from typing import Protocol

import aiohttp

from modelsync.api import naming, protocol
from modelsync.core.cluster import snapshot
from modelsync.runtime.cluster import api_client


class NoAnswer(Exception):
    """The worker did not answer as it should."""


class Channel(Protocol):
    """A way to a worker."""

    async def progress(self, pod: snapshot.PodRecord) -> bytes:
        """The body of `GET /progress`; raises NoAnswer."""

    async def limit(self, pod: snapshot.PodRecord, request: protocol.LimitRequest) -> None:
        """`PUT /limit`; raises NoAnswer."""

    async def close(self) -> None:
        """Close all connections."""


class Direct:
    """By Pod IP, a connection for each request."""

    def __init__(self, *, port: int = naming.WORKER_PORT, timeout: float = 1.0) -> None:
        self._port = port
        self._timeout = timeout
        self._opened: aiohttp.ClientSession | None = None

    @property
    def _session(self) -> aiohttp.ClientSession:
        if self._opened is None:
            self._opened = aiohttp.ClientSession(
                # The poller bounds how many are asked at once. Idle connections would hold a thread of each
                # worker and, with a thousand workers, a thousand of our descriptors, to save 0.2 ms a poll.
                connector=aiohttp.TCPConnector(limit=0, force_close=True),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=self._timeout),
                headers={"Accept-Encoding": "identity", "User-Agent": "modelsync"},
                auto_decompress=False,
                trust_env=False,
            )
        return self._opened

    async def progress(self, pod: snapshot.PodRecord) -> bytes:
        """The body of `GET /progress`, read to one byte above the bound at most."""
        return await self._send("GET", pod, "/progress", None)

    async def limit(self, pod: snapshot.PodRecord, request: protocol.LimitRequest) -> None:
        """`PUT /limit`."""
        await self._send("PUT", pod, "/limit", request.dump_json().encode())

    async def close(self) -> None:
        """Close all connections."""
        if self._opened is not None:
            await self._opened.close()

    async def _send(self, method: str, pod: snapshot.PodRecord, path: str, body: bytes | None) -> bytes:
        host = f"[{pod.ip}]" if ":" in pod.ip else pod.ip
        try:
            async with self._session.request(
                method,
                f"http://{host}:{self._port}{path}",
                data=body,
                headers={naming.KEY_HEADER: pod.progress_key, "Content-Type": "application/json"},
                allow_redirects=False,
            ) as answer:
                if not 200 <= answer.status < 300:
                    raise NoAnswer(f"status {answer.status}")
                return await _read(answer.content, protocol.MAX_PROGRESS_BYTES + 1)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise NoAnswer(f"{type(error).__name__}: {error}") from error


class Proxied:
    """Through the API server's Pod proxy; needs the right `pods/proxy`."""

    def __init__(self, api: api_client.Kube, *, port: int = naming.WORKER_PORT) -> None:
        self._api = api
        self._port = port

    async def progress(self, pod: snapshot.PodRecord) -> bytes:
        """The body of `GET /progress`."""
        return await self._send(pod, "/progress", None)

    async def limit(self, pod: snapshot.PodRecord, request: protocol.LimitRequest) -> None:
        """`PUT /limit`."""
        await self._send(pod, "/limit", request.dump())

    async def close(self) -> None:
        """The API client is not ours to close."""

    async def _send(self, pod: snapshot.PodRecord, path: str, body: api_client.Object | None) -> bytes:
        headers = {naming.KEY_HEADER: pod.progress_key}
        try:
            return await self._api.pod_proxy(
                pod.namespace, f"{pod.name}:{self._port}", path, headers=headers, body=body
            )
        except api_client.ApiError as error:
            raise NoAnswer(str(error)) from error


async def _read(content: aiohttp.StreamReader, limit: int) -> bytes:
    """The body, cut at a limit: the connection is closed with what is left."""
    parts, size = [], 0
    async for part in content.iter_any():
        parts.append(part)
        size += len(part)
        if size >= limit:
            break
    return b"".join(parts)[:limit]
