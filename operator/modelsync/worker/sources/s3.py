"""Objects of an S3 bucket: boto3 lists them and signs URLs, our engine fetches them.

A presigned URL is fetched like any other; its signature covers the object's version where the bucket has
versions. The secret key itself never travels, so an http:// endpoint does not expose it.

A prefix without a '/' at its end names a folder if there is one, since a user who writes `models/llama` does
not want `models/llama-2` too; only without such a folder it is a mere prefix, so that `models/llama.gguf` or
`models/part-` work as well, and paths then begin after its last '/'.
"""

import contextlib
import functools
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelsync.api.reasons import Reason
from modelsync.api.sources import S3Source
from modelsync.api.transfer import Resolved
from modelsync.loading import loading
from modelsync.worker import credentials as creds
from modelsync.worker.connecting import Network
from modelsync.worker.failures import Failure
from modelsync.worker.model import Listing, Refused, RemoteFile, Request
from modelsync.worker.patience import Patience
from modelsync.worker.sources import listing, outlet, s3_errors, s3_objects
from modelsync.worker.sources.s3_signing import Signer
from modelsync.worker.stages import Stages
from modelsync.worker.transport import Transport

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

PAGE_SIZE = 1000
"""Objects of one page of a listing; the most that S3 gives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """What works with one set of keys."""

    client: "S3Client"
    signer: Signer
    keys: creds.Keys | None


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

    def resolve(self, pinned: Resolved | None) -> Listing:
        """List the bucket and ask for the checksums; SourceChanged when it is not as pinned."""
        # Connections that stay idle would count against what the origin allows: they end with the listing.
        with s3_errors.explained(self._spec, self._credentials), contextlib.closing(self._transport):
            opened = self._connect()
            objects, cut = self._objects(opened.client)
            asking = s3_objects.Asking(
                client=opened.client,
                signer=opened.signer,
                spec=self._spec,
                credentials=self._credentials,
                transport=self._transport,
                patience=self._patience,
                connections=self._network.connections,
                stages=self._stages,
            )
            files = asking.described(objects, cut)
        revision = listing.revision_of(files)
        listing.check_pinned(pinned, revision, f"The content of {self._name}")
        return Listing(revision=revision, files=files)

    def request(self, file: RemoteFile) -> Request:
        """A URL that may be fetched for an hour without further credentials."""
        with s3_errors.explained(self._spec, self._credentials):
            url = self._connect().signer.url("GET", file.locator, file.version)
        return Request(url=url, explain=functools.partial(self._refused, file.locator))

    def _refused(self, key: str, status: int, headers: Mapping[str, str], body: bytes) -> Refused:
        refusal = s3_errors.read(status, headers, body, key)
        return Refused(failure=s3_errors.failure(refusal, self._spec, self._credentials))

    @property
    def _name(self) -> str:
        return f"s3://{self._spec.bucket}/{self._spec.prefix}"

    def _connect(self) -> "_Opened":
        """A client for the keys as they are now: a mended Secret works at once, yet a client costs as much as
        many small files, so it is kept while the keys stay."""
        keys = creds.s3_keys(self._credentials)
        with self._lock:
            if self._opened is None or self._opened.keys != keys:
                client = self._made(keys)
                signer = Signer(client, self._spec.bucket, keys)
                self._opened = _Opened(client=client, signer=signer, keys=keys)
            return self._opened

    def _made(self, keys: creds.Keys | None) -> "S3Client":
        with loading():
            import boto3
            import botocore.session
            from botocore import UNSIGNED
            from botocore.config import Config

        config = Config(
            signature_version="s3v4" if keys else UNSIGNED,
            s3={"addressing_style": "path" if self._spec.endpoint else "auto"},
            retries={"mode": "standard", "max_attempts": 3},
        )
        secret: dict[str, Any] = {}
        if keys:
            secret["aws_access_key_id"] = keys.access_key.reveal()
            secret["aws_secret_access_key"] = keys.secret_key.reveal()
            secret["aws_session_token"] = keys.session_token.reveal() if keys.session_token else None
        core = botocore.session.get_session()
        # A listing's dates stay text: to parse them costs twice as much as to parse all the rest of it.
        core.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=str)
        client: S3Client = boto3.session.Session(botocore_session=core).client(
            "s3",
            region_name=self._spec.region or s3_errors.DEFAULT_REGION,
            endpoint_url=self._spec.endpoint,
            config=config,
            **secret,
        )
        outlet.lead_out(client, self._transport, self._patience)
        s3_errors.stay(client, self._spec, self._credentials)
        return client

    def _objects(self, client: "S3Client") -> tuple[list[s3_objects.Listed], int]:
        """The objects, and how many characters of their keys are cut; raises Failure when there are none."""
        prefix = self._spec.prefix
        if prefix and not prefix.endswith("/"):
            folder = list(self._below(client, f"{prefix}/"))
            if folder:
                return folder, len(prefix) + 1
        found = list(self._below(client, prefix))
        if not found:
            text = (
                f"There is no object below {self._name}. Check spec.source.s3.bucket and"
                " spec.source.s3.prefix."
            )
            raise Failure(Reason.NOTHING_MATCHED, text)
        return found, prefix.rfind("/") + 1

    def _below(self, client: "S3Client", prefix: str) -> Iterator[s3_objects.Listed]:
        pages_seen, keys = listing.Pages(), set[str]()
        self._stages.anew()
        pages = client.get_paginator("list_objects_v2").paginate(
            Bucket=self._spec.bucket, Prefix=prefix, PaginationConfig={"PageSize": PAGE_SIZE}
        )
        for page in pages:
            pages_seen.turn()
            s3_errors.check_region(self._spec, page["ResponseMetadata"]["HTTPHeaders"])
            for entry in page.get("Contents", ()):
                found = s3_objects.listed(entry)
                if found is None or found.key in keys:  # again, which is no progress
                    continue
                keys.add(found.key)
                if len(keys) > listing.MOST_FILES:
                    text = f"There are more than {listing.MOST_FILES} objects below {self._name}."
                    raise Failure(Reason.INVALID_SPEC, f"{text} Name a longer spec.source.s3.prefix.")
                self._stages.advance(files=1)
                yield found
