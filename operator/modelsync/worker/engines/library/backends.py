"""What differs between the libraries: the job for the child, and where its file is afterwards."""

import os
from dataclasses import dataclass
from typing import Protocol

import modelsync
from modelsync.api.protocol import Tuning
from modelsync.api.reasons import Reason
from modelsync.api.source.sources import HuggingFaceSource, RepositoryType
from modelsync.worker.common import names
from modelsync.worker.common.failures import Failure
from modelsync.worker.common.model import RemoteFile, Request
from modelsync.worker.context import Context
from modelsync.worker.engines.library.gateway import Gateway
from modelsync.worker.engines.library.subprocess import Job, environment
from modelsync.worker.http import range_response, refusals, urls
from modelsync.worker.http.client import USER_AGENT, Transport
from modelsync.worker.sources.hub.repositories import DEFAULT_ENDPOINT

MOST_AT_ONCE = 4
"""Files at once; more would only add to the memory of the libraries, which have connections of their own."""
_XET_BUFFER = "256mb"
"""What all files together may hold in memory: four blocks of the largest size (64 MiB)."""
_FOLDER = "hub.tmp"
"""Working folder of huggingface_hub in the staging directory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A job for the child, and what is known of the object it fetches."""

    job: Job | None
    """None when the file is there already."""
    left_at: str
    """Where the file is when the job is done, relative to the staging directory."""
    growing: str | None = None
    """The file, or the folder with it, that grows meanwhile."""
    etag: str | None = None


class Backend(Protocol):
    """One library."""

    name: str
    counts: bool
    """Whether it reports bytes while they come."""
    at_once: int
    """Files to fetch at the same time."""
    processes: int
    """Child processes that they are spread over."""
    advice: str
    """What else may help when a host is unreachable, for the end of a message."""

    def variables(self, gateway: Gateway) -> dict[str, str]:
        """The child's environment, with the only way out."""

    def prepare(self, file: RemoteFile, key: str, gateway: Gateway) -> Prepared:
        """The job for one file; raises Failure, Transient or responses.Changed."""


class HFTransfer:
    """hf_transfer: parallel ranges of one URL, counted by its callback."""

    name = "hf_transfer"
    counts = True
    advice = ""

    def __init__(self, context: Context, transport: Transport, *, files: int) -> None:
        """`files` is how many there are in all: a single one gets all connections."""
        self._context, self._transport, self._tuning = context, transport, context.request.tuning
        self.at_once = max(1, min(MOST_AT_ONCE, self._tuning.connections, files))
        self.processes = self.at_once  # the library holds Python's lock while it fetches

    def variables(self, gateway: Gateway) -> dict[str, str]:
        """The way out and authorities."""
        return environment(self._context.network, gateway.url)

    def prepare(self, file: RemoteFile, key: str, gateway: Gateway) -> Prepared:
        """Ask for the first byte along all redirects, so that the library gets the last address and only the
        headers that its origin may see."""
        request, etag = self._located(file)
        gateway.name(urls.parsed(request.url).origin, outside=request.outside)
        headers = {"User-Agent": USER_AGENT} | {name: str(value) for name, value in request.headers.items()}
        if etag is not None and not file.digests:
            headers["If-Match"] = f'"{etag}"'
        left_at = f"{key}.partial"
        job = {
            "job": "transfer",
            "name": left_at,
            "url": request.url,
            "headers": headers,
            "connections": max(1, self._tuning.connections // self.at_once),
            "chunk_bytes": self._tuning.chunk_bytes,
            "retries": self._tuning.max_retries,
            "report": self.counts,
        }
        return Prepared(job=job, left_at=left_at, growing=left_at, etag=etag)

    def _located(self, file: RemoteFile) -> tuple[Request, str | None]:
        asked = range_response.Asked(
            path=file.path, start=0, end=1, ranged=True, size=file.size, validator=_validator(file)
        )
        answer = self._transport.get(self._context.source.request(file), {"Range": "bytes=0-0"})
        try:
            refusals.check(answer)
            body = range_response.read(answer.response.status, answer.response.headers, asked)
        except range_response.Renew as renew:
            if renew.again:
                return self._located(file)
            raise renew.failure from renew
        finally:
            answer.response.close()
        kind, _, value = (body.validator or "").partition(":")
        etag = value if kind == "etag" else None
        if answer.response.status != 206:
            raise _unfit(file, "its origin sends no ranges")
        if etag is None and not file.digests:
            raise _unfit(file, "neither its source nor its origin reports a checksum or an ETag")
        return answer.request, etag


def _validator(file: RemoteFile) -> str | None:
    return f"etag:{file.etag}" if file.etag is not None and not file.named else None


def _unfit(file: RemoteFile, why: str) -> Failure:
    text = f"HFTransfer cannot fetch {names.printable(file.path)}: {why}. Use spec.engine Native."
    return Failure(Reason.ORIGIN_ERROR, text)


class HuggingFaceHub:
    """huggingface_hub's own downloader, counted by its progress bar; with Xet where the Hub offers it."""

    name = "huggingface_hub"
    counts = True
    advice = " spec.engine Native needs no host of Xet storage."

    def __init__(self, context: Context, spec: HuggingFaceSource, commit: str) -> None:
        self._context, self._tuning = context, context.request.tuning
        self._spec, self._commit = spec, commit
        self._endpoint = (spec.endpoint or DEFAULT_ENDPOINT).rstrip("/")
        self.at_once, self.processes = min(MOST_AT_ONCE, self._tuning.connections), 1

    def variables(self, gateway: Gateway) -> dict[str, str]:
        """The library keeps to the staging directory, says nothing to anybody and caches nothing."""
        seconds = str(max(1, round(self._context.network.timeout_seconds)))
        gateway.name(urls.parsed(self._endpoint).origin)
        return environment(
            self._context.network,
            gateway.url,
            HF_HOME=os.path.join(_FOLDER, "home"),
            HF_HUB_DISABLE_TELEMETRY="1",
            HF_HUB_DISABLE_PROGRESS_BARS="1",
            HF_HUB_DISABLE_IMPLICIT_TOKEN="1",
            HF_HUB_DOWNLOAD_TIMEOUT=seconds,
            HF_HUB_ETAG_TIMEOUT=seconds,
            **_xet(self._tuning, seconds),
        )

    def prepare(self, file: RemoteFile, key: str, gateway: Gateway) -> Prepared:
        """The repository's file at the resolved commit, with the token that the source would send."""
        folder = f"{_FOLDER}/{key}"
        token = self._context.source.request(file).headers.get("Authorization", "").removeprefix("Bearer ")
        dataset = self._spec.repository_type is RepositoryType.DATASET
        job = {
            "job": "repository",
            "version": modelsync.__version__,
            "name": folder,
            "endpoint": self._endpoint,
            "token": token or None,
            "repository": self._spec.repository,
            "kind": "dataset" if dataset else "model",
            "commit": self._commit,
            "path": file.locator,
            "report": self.counts,
        }
        return Prepared(job=job, left_at=f"{folder}/{file.locator}", growing=folder)


def _xet(tuning: Tuning, seconds: str) -> dict[str, str]:
    """Bounds for hf_xet; the names and defaults are those of xet-core's `xet_runtime/src/config/groups`.

    Left alone it takes up to a quarter of the machine's memory, opens 64 connections, waits 5 minutes for the
    next bytes and minutes between tries, and keeps a log of every request.
    """
    buffer = {
        f"HF_XET_RECONSTRUCTION_DOWNLOAD_BUFFER_{part}": size
        for part, size in (("SIZE", _XET_BUFFER), ("LIMIT", _XET_BUFFER), ("PERFILE_SIZE", "0"))
    }
    return buffer | {
        "HF_XET_CHUNK_CACHE_SIZE_BYTES": "0",
        "HF_XET_LOG_DEST": os.devnull,
        "HF_XET_CLIENT_AC_INITIAL_DOWNLOAD_CONCURRENCY": str(min(4, tuning.connections)),
        "HF_XET_CLIENT_AC_MAX_DOWNLOAD_CONCURRENCY": str(tuning.connections),
        "HF_XET_CLIENT_CONNECT_TIMEOUT": f"{seconds}s",
        "HF_XET_CLIENT_READ_TIMEOUT": f"{seconds}s",
        "HF_XET_CLIENT_RETRY_BASE_DELAY": "500ms",
        "HF_XET_CLIENT_RETRY_MAX_ATTEMPTS": str(tuning.max_retries),
    }
