"""Builders: a sync from the fault origin by one of the worker's own sources, and how it ended."""

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dev.origins.content import hexdigest, read
from dev.origins.files import hub, s3
from dev.origins.files.origin import Origin
from modelsync.api import protocol
from modelsync.api.reasons import Reason
from modelsync.api.source import sources
from modelsync.api.source.transfer import Engine, Resolved, Verification
from modelsync.worker.attempt.pipeline import run
from modelsync.worker.common.failures import Failure, Interrupted
from modelsync.worker.common.rate_limiter import Limiter
from modelsync.worker.context import Context
from modelsync.worker.http.connector import Network
from modelsync.worker.progress.state import State
from modelsync.worker.progress.throughput import Meter
from modelsync.worker.sources import factory
from modelsync.worker.sources.credentials import Given, Hidden
from tests.worker.syncs import files_in

CHUNK = 64 * 1024
KINDS = ("hub", "s3", "web")
S3_KEYS = {"AWS_ACCESS_KEY_ID": "AKIACANARY", "AWS_SECRET_ACCESS_KEY": "canary-secret-key"}


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a sync ended."""

    reason: Reason
    message: str
    published: dict[str, bytes]
    state: State


@dataclass(slots=True, kw_only=True)
class Sync:
    """A sync of the origin's files into a directory; small chunks, short waits."""

    origin: Origin
    volume: Path
    kind: str = "hub"
    prefix: str = ""
    """Faults for the URL, without /f/."""
    digests: bool = True
    """Whether a list of URLs states checksums."""
    sizes: bool = True
    """Whether a list of URLs states sizes."""
    token: str | None = None
    connections: int = 2
    chunk: int = CHUNK
    max_retries: int = 3
    timeout: float = 5.0
    deadline: int = 30
    network: Network | None = None
    verification: Verification = Verification.CHECKSUM
    engine: Engine = Engine.NATIVE
    resolved: Resolved | None = None
    uid: str = "uid-1"
    bucket: dict[str, Any] = field(default_factory=dict)
    """Further fields of `spec.source.s3`."""
    urls: dict[str, str] = field(default_factory=dict)
    """URL by path, for the web source, in place of the origin's own."""
    ca_file: Path | None = None
    limiter: Limiter = field(default_factory=Limiter)
    stop: threading.Event = field(default_factory=threading.Event)
    state: State | None = None
    """Its figures, where somebody looks at them meanwhile."""

    def source(self) -> sources.Source:
        """The `spec.source` for the origin."""
        base = self.origin.url + (f"/f/{self.prefix}" if self.prefix else "")
        if self.kind == "hub":
            return sources.Source(
                hugging_face=sources.HuggingFaceSource(repository=hub.REPOSITORY, endpoint=base)
            )
        if self.kind == "s3":
            return sources.Source(
                s3=sources.S3Source(**({"bucket": s3.BUCKET, "endpoint": base} | self.bucket))
            )
        files = tuple(
            sources.HttpFile(
                url=self.urls.get(path) or f"{base}/web/{path}",
                path=path,
                sha256=hexdigest(found.announced, "sha256") if self.digests else None,
                size=found.announced.size if self.sizes else None,
            )
            for path, found in sorted(self.origin.files.items())
        )
        return sources.Source(http=sources.HttpSource(files=files))

    def request(self) -> protocol.WorkRequest:
        """The work request."""
        return protocol.WorkRequest(
            uid=self.uid,
            namespace="team",
            name="llama",
            attempt=1,
            source=self.source(),
            sub_path="model",
            engine=self.engine,
            verification=self.verification,
            resolved=self.resolved,
            progress_deadline_seconds=self.deadline,
            tuning=protocol.Tuning(
                connections=self.connections,
                chunk_bytes=self.chunk,
                max_retries=self.max_retries,
                timeout_seconds=self.timeout,
            ),
        )

    def credentials(self) -> Given:
        """What the source's Secret holds."""
        values = {"token": self.token} if self.token else {}
        if self.kind == "s3":
            values = S3_KEYS
        return Given(where="the Secret", values={key: Hidden(value) for key, value in values.items()})

    def run(self) -> End:
        """Run it to its end."""
        state = self.state or State(Meter())
        network = self.network or Network(
            timeout_seconds=self.timeout,
            connections=self.connections,
            ca_file=str(self.ca_file) if self.ca_file else None,
        )
        request = self.request()
        reason, message = Reason.SYNCED, ""
        try:
            context = Context(
                request=request,
                source=factory.open_source(
                    request.source, self.credentials(), network, stop=self.stop, stages=state.stages
                ),
                network=network,
                state=state,
                limiter=self.limiter,
                stop=self.stop,
                volume=self.volume,
                lock_wait_seconds=0.0,
            )
            run(context)
        except Failure as failure:
            reason, message = failure.reason, failure.message
        except Interrupted:
            reason = Reason.INTERRUPTED
        return End(reason=reason, message=message, published=self.published(), state=state)

    def published(self) -> dict[str, bytes]:
        """The files that are in the target now."""
        target = self.volume / "model"
        return {path: (target / path).read_bytes() for path in files_in(target)}

    def wrong(self) -> list[str]:
        """Published files that are not what the source announced; without a checksum, any one version is."""
        bare = self.kind == "web" and not self.digests
        right: dict[str, list[bytes]] = {}
        for path, found in self.origin.files.items():
            versions = {found.announced, found.content} if bare else {found.announced}
            right[path] = [read(version) for version in versions]
        return [path for path, data in self.published().items() if data not in right.get(path, ())]
