"""Objects of an S3 bucket: boto3 lists them and signs URLs, our engine fetches them.

A presigned URL is fetched like any other; its signature covers the object's version where the bucket has
versions. The secret key itself never travels, so an http:// endpoint does not expose it.

A prefix without a '/' at its end names a folder if there is one, since a user who writes `models/llama` does
not want `models/llama-2` too; only without such a folder it is a mere prefix, so that `models/llama.gguf` or
`models/part-` work as well, and paths then begin after its last '/'.
"""

import contextlib
import functools
import logging
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelsync.api.reasons import Reason
from modelsync.api.source.sources import S3Source
from modelsync.api.source.transfer import Resolved
from modelsync.worker.common.failures import Failure
from modelsync.worker.common.model import Listing, Refused, RemoteFile, Request
from modelsync.worker.http.client import Transport
from modelsync.worker.http.connector import Network
from modelsync.worker.progress.stages import Stages
from modelsync.worker.progress.waiting import Patience
from modelsync.worker.sources import credentials as creds
from modelsync.worker.sources import library_http, pinning
from modelsync.worker.sources.s3 import clients, errors, object_listing
from modelsync.worker.sources.s3.signing import VALID_SECONDS, Signer

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_log = logging.getLogger(__name__)

_NO_VERSIONS = {400, 403, 405, 501}
"""How those answer who may not read versions (s3:GetObjectVersion is a right of its own), or know none."""

_OF_ACCOUNTS = {401, 403, 404, 410, 429}
"""What says the same of a bucket with and without a code."""
PAGE_SIZE = 1000
"""Objects of one page of a listing; the most that S3 gives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """What works with one set of keys."""

    client: "S3Client"
    signer: Signer
    keys: creds.Keys | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What a URL asks for, and since when."""

    key: str
    version: str | None
    time: float


class BucketSource:
    """The objects below a prefix."""

    def __init__(
        self,
        spec: S3Source,
        credentials: creds.Credentials,
        network: Network,
        stop: threading.Event | None = None,
        stages: Stages | None = None,
    ) -> None:
        self._spec = spec
        self._credentials = credentials
        self._network = network
        self._stages = stages or Stages()
        self._patience = Patience(stop or threading.Event(), self._stages)
        self._transport = Transport(network)
        self._lock = threading.Lock()
        self._opened: _Opened | None = None
        self._virtual = False
        """Whether the store has answered that it takes the bucket's name in the host only."""
        self._versions = True
        """Whether objects may be asked for by their versions, as far as is known."""

    def resolve(self, pinned: Resolved | None) -> Listing:
        """List the bucket and ask for the checksums; SourceChanged when it is not as pinned."""
        # Connections that stay idle would count against what the origin allows: they end with the listing.
        with errors.explained(self._spec, self._credentials), contextlib.closing(self._transport):
            opened, objects, cut = self._listed()
            requests = object_listing.ObjectRequests(
                client=opened.client,
                signer=opened.signer,
                spec=self._spec,
                credentials=self._credentials,
                transport=self._transport,
                patience=self._patience,
                connections=self._network.connections,
                stages=self._stages,
            )
            files = requests.described(objects, cut)
        revision = pinning.revision_of(files)
        pinning.check_pinned(pinned, revision, f"The content of {self._name}")
        return Listing(revision=revision, files=files)

    def request(self, file: RemoteFile) -> Request:
        """A URL that may be fetched for an hour without further credentials.

        Of the object's version where it has one and that may be read; else the engine compares its ETag.
        """
        version = file.version if self._versions else None
        with errors.explained(self._spec, self._credentials):
            url = self._connect().signer.url("GET", file.locator, version)
        asked = _Asked(key=file.locator, version=version, time=time.monotonic())
        return Request(url=url, explain=functools.partial(self._refused, asked))

    def _refused(self, asked: _Asked, status: int, headers: Mapping[str, str], body: bytes) -> Refused | None:
        refusal = errors.read(status, headers, body, asked.key)
        failure = errors.failure(refusal, self._spec, self._credentials)
        # An old URL is denied as expired, and wrong keys are wrong for whatever is asked.
        fresh = time.monotonic() - asked.time < VALID_SECONDS / 2
        keys_are_right = failure.reason is not Reason.AUTHENTICATION_FAILED
        again = asked.version is not None and status in _NO_VERSIONS and fresh and keys_are_right
        if again and self._versions:
            self._versions = False
            _log.info("objects are read without their versions (%s)", refusal.code or status)
        if not (again or refusal.code or status in _OF_ACCOUNTS):
            return None
        return Refused(failure=failure, again=again)

    @property
    def _name(self) -> str:
        return f"s3://{self._spec.bucket}/{self._spec.prefix}"

    def _connect(self) -> "_Opened":
        """A client for the keys as they are now: a fixed Secret works at once, yet a client costs as much as
        many small files, so it is kept while the keys stay."""
        keys = creds.s3_keys(self._credentials)
        with self._lock:
            if self._opened is None or self._opened.keys != keys:
                client = clients.made(
                    self._spec, keys, self._lead_out, self._credentials, virtual=self._virtual
                )
                pays = self._spec.requester_pays
                signer = Signer(client, self._spec.bucket, keys, requester_pays=pays)
                self._opened = _Opened(client=client, signer=signer, keys=keys)
            return self._opened

    def _lead_out(self, client: "S3Client") -> None:
        library_http.lead_out(client, self._transport, self._patience)

    def _listed(self) -> tuple[_Opened, list[object_listing.Listed], int]:
        from botocore.exceptions import ClientError

        opened = self._connect()
        try:
            return opened, *self._objects(opened.client)
        except ClientError as error:
            if self._virtual or not clients.takes_hosts_only(error, self._spec):
                raise
        self._virtual, self._opened = True, None
        return self._listed()

    def _objects(self, client: "S3Client") -> tuple[list[object_listing.Listed], int]:
        """The objects, and how many characters of their keys are cut; raises Failure when there are none."""
        prefix = self._spec.prefix
        if prefix and not prefix.endswith("/"):
            folder = list(self._below(client, f"{prefix}/"))
            if folder:
                return folder, len(prefix) + 1
        found = list(self._below(client, prefix))
        if not found:
            text = (
                f"There is no object below {self._name}. Put some there, or name the right ones in"
                " spec.source.s3.bucket and spec.source.s3.prefix of another ModelSync, since these fields"
                " cannot be changed."
            )
            raise Failure(Reason.NOTHING_MATCHED, text)
        return found, prefix.rfind("/") + 1

    def _below(self, client: "S3Client", prefix: str) -> Iterator[object_listing.Listed]:
        pages_seen, keys = pinning.Pages(), set[str]()
        self._stages.restart_count()
        pages = client.get_paginator("list_objects_v2").paginate(
            Prefix=prefix, PaginationConfig={"PageSize": PAGE_SIZE}, **object_listing.named(self._spec)
        )
        for page in pages:
            pages_seen.turn()
            errors.check_region(self._spec, page["ResponseMetadata"]["HTTPHeaders"])
            for entry in page.get("Contents", ()):
                found = object_listing.listed(entry)
                if found is None or found.key in keys:  # again, which is no progress
                    continue
                keys.add(found.key)
                if len(keys) > pinning.MOST_LISTED:
                    text = f"There are more than {pinning.MOST_LISTED} objects below {self._name}."
                    raise Failure(Reason.INVALID_SPEC, f"{text} Name a longer spec.source.s3.prefix.")
                self._stages.advance(files=1)
                yield found
