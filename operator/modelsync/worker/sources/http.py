"""Files behind URLs: each is asked for its size and ETag, then the engine fetches it.

A GET of the first byte shows both. A HEAD would be a request of its own kind, which servers answer with other
lengths (0, those of an error page or of a coded form) and other errors than the GET that brings the bytes:
presigned URLs refuse it, and some servers do not know it. A file whose size and SHA-256 the user gave is not
asked for: it is pinned already, and by better means. Credentials go to https URLs of the list alone, and the
transport drops them at a redirect to another origin.
"""

import contextlib
import re
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from modelsync.api.common import untrusted
from modelsync.api.reasons import Reason
from modelsync.api.source import hub_pages
from modelsync.api.source.sources import HttpFile, HttpSource
from modelsync.api.source.transfer import Resolved
from modelsync.worker.common import retry
from modelsync.worker.common.failures import Failure
from modelsync.worker.common.model import Digest, Listing, RemoteFile, Request
from modelsync.worker.http import client, range_response, urls
from modelsync.worker.http.connector import Network
from modelsync.worker.http.http1 import Broken
from modelsync.worker.progress.stages import Stages
from modelsync.worker.progress.waiting import Patience
from modelsync.worker.sources import credentials as creds
from modelsync.worker.sources import disposition, pinning

PROBES = 4
"""Files asked for at once."""
TRIES = 3
_FIRST_BYTE = {"Range": "bytes=0-0"}
_NO_RANGE = {400, 403, 405, 412, 416, 500, 501}
"""Statuses with which servers may refuse a range of a file that they give as a whole."""
_TOTAL = re.compile(r"bytes \d+-\d+/(\d{1,19})")


class WebSource:
    """The files of a list of URLs."""

    def __init__(
        self,
        spec: HttpSource,
        credentials: creds.Credentials,
        network: Network,
        stop: threading.Event,
        stages: Stages | None = None,
        *,
        named_by_origin: bool = False,
    ) -> None:
        """With `named_by_origin` a file takes the name that its answer gives it, where it gives one."""
        self._spec = spec
        self._named_by_origin = named_by_origin
        self._credentials = credentials
        self._network = network
        self._stages = stages or Stages()
        self._patience = Patience(stop, self._stages)

    def resolve(self, pinned: Resolved | None) -> Listing:
        """Ask for all files; SourceChanged when they are not as pinned."""
        for file in self._spec.files:
            _check_link(file.url)
        if self._credentials.given and not any(_may_see_credentials(file.url) for file in self._spec.files):
            text = (
                "Credentials are sent to https:// URLs only, and the source has none. Remove"
                f" {self._credentials.where}"
            )
            raise Failure(Reason.INVALID_SPEC, f"{text} or correct spec.source.http.files[].url.")
        network = client.Transport(self._network)
        self._stages.restart_count(files=len(self._spec.files))
        try:
            with ThreadPoolExecutor(PROBES, thread_name_prefix="probe") as pool:
                files = tuple(pool.map(lambda file: self._described(network, file), self._spec.files))
        finally:
            network.close()
        self._check_names(files)
        revision = pinning.revision_of(sorted(files, key=lambda file: file.path))
        pinning.check_pinned(pinned, revision, "A file of spec.source.http.files")
        return Listing(revision=revision, files=files)

    def _check_names(self, files: tuple[RemoteFile, ...]) -> None:
        """Raise Failure where the names that answers give are no names of so many files."""
        known: dict[str, str] = {}
        for file in files:
            if not file.path:
                text = f"{urls.shown(file.locator)} names no file, and its answer neither. Name it: --name."
                raise Failure(Reason.INVALID_SPEC, text)
            other = known.setdefault(file.path, file.locator)
            if other != file.locator:
                text = f"{urls.shown(other)} and {urls.shown(file.locator)} both lead to {file.path}."
                raise Failure(
                    Reason.INVALID_SPEC, f"{text} Pull them one by one, with names of your own: --name."
                )

    def request(self, file: RemoteFile) -> Request:
        """The URL, with the credentials when it is an https one."""
        return self._request(file.locator)

    def _request(self, url: str) -> Request:
        header = creds.authorization(self._credentials) if _may_see_credentials(url) else None
        return Request(url=url, headers={"Authorization": header.reveal()} if header else {})

    def _described(self, network: client.Transport, file: HttpFile) -> RemoteFile:
        digests = (Digest(algorithm="sha256", value=file.sha256),) if file.sha256 else ()
        size, version, etag, path = file.size, None, None, file.path
        if size is None or not digests:
            status, headers = self._patiently(network, file)
            self._check(status, headers, file)
            size = size if size is not None else _size(status, headers, file.path)
            page = status == 200 and range_response.is_page(headers, file.path)
            validator = "" if page else range_response.validator_of(headers) or ""
            kind, _, value = validator.partition(":")
            # A weak tag or a date is no ETag to compare ranges by, but shows a later attempt a change.
            etag, version = (value, None) if kind == "etag" else (None, value or None)
            if self._named_by_origin:
                path = disposition.name_of(headers.get("Content-Disposition")) or path
        self._stages.advance(files=1)
        return RemoteFile(path=path, size=size, digests=digests, etag=etag, locator=file.url, version=version)

    def _patiently(self, network: client.Transport, file: HttpFile) -> tuple[int, Mapping[str, str]]:
        """Status and headers of a file, tried again while the trouble may pass."""
        budget = retry.Budget(most=TRIES - 1)
        while True:
            self._patience.keep()
            try:
                return self._ask(network, file.url)
            except retry.Transient as trouble:
                self._patience.again(trouble, budget)

    def _ask(self, network: client.Transport, url: str) -> tuple[int, Mapping[str, str]]:
        """Status and headers of a file; raises what passes as Transient."""
        request = self._request(url)
        status, headers = _asked(network, request, _FIRST_BYTE)
        empty = status == 200 and headers.get("Content-Length") == "0"
        if status in _NO_RANGE or empty:  # an empty file has no first byte
            status, headers = _asked(network, request, {})
        wait = retry.asked_seconds(status, headers)
        if status in (429, 500, 502, 503, 504) or wait is not None:
            reason = Reason.RATE_LIMITED if status in (403, 429) else Reason.ORIGIN_ERROR
            failure = Failure(reason, f"{urls.shown(url)} answers with HTTP {status}.")
            raise retry.Transient(failure, wait_seconds=wait)
        return status, headers

    def _check(self, status: int, headers: Mapping[str, str], file: HttpFile) -> None:
        """Raise what a status other than success means."""
        answered, url, where = f"(HTTP {status})", urls.shown(file.url), self._credentials.where
        if status in (200, 206):
            reported_size = _size(status, headers, file.path)
            if file.size is not None and reported_size is not None and reported_size != file.size:
                text = f"{url} has {reported_size} bytes, but spec.source.http.files[].size says {file.size}."
                raise Failure(Reason.SIZE_MISMATCH, text)
            return
        if status == 401 and self._credentials.given and _may_see_credentials(file.url):
            text = f"{url} refuses the credentials {answered}. Put valid ones into {where}."
            raise Failure(Reason.AUTHENTICATION_FAILED, text)
        if status == 401:
            text = (
                f"{url} asks for credentials {answered}. Name them in {where}; they are sent to"
                " https:// URLs only."
            )
            raise Failure(Reason.AUTHENTICATION_FAILED, text)
        if status == 403:
            raise Failure(
                Reason.ACCESS_DENIED, f"{url} denies access {answered}. Check the rights of {where}."
            )
        if status in (404, 410):
            raise Failure(
                Reason.NOT_FOUND, f"There is no file at {url} {answered}. Check spec.source.http.files[].url."
            )
        raise Failure(Reason.ORIGIN_ERROR, f"{url} answers with HTTP {status}.")


def _check_link(url: str) -> None:
    """Raise Failure for the address of a Hub's page, which people copy in place of the file's."""
    found = hub_pages.page(url)
    if found is not None:
        choice = f", spec.allowPatterns {found.pattern}" if found.pattern else ""
        text = (
            f"{urls.shown(url)} is a page of the Hub and no file. Use spec.source.huggingFace for"
            f" {found.address}: repository {found.repository}, revision {found.revision}{choice}."
        )
        raise Failure(Reason.INVALID_SPEC, text)


def _may_see_credentials(url: str) -> bool:
    return url.lower().startswith("https://")


def _asked(
    network: client.Transport, request: Request, extra: Mapping[str, str]
) -> tuple[int, Mapping[str, str]]:
    """Status and headers alone; a long body is not read, and ends with its connection."""
    response = network.get(request, extra).response
    with contextlib.suppress(Broken):
        response.skip()
    response.close()
    return response.status, response.headers


def _size(status: int, headers: Mapping[str, str], path: str) -> int | None:
    """The file's size; None when the server does not report it, or reports that of another form of it or of a
    page, as somebody in between may give."""
    if status == 206:
        found = _TOTAL.fullmatch(headers.get("Content-Range", "").strip())
        return untrusted.count(found[1]) if found else None
    if range_response.is_page(headers, path) or not range_response.is_plain(headers, path):
        return None
    return untrusted.count(headers.get("Content-Length", ""))
