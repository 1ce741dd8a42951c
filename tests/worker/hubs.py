"""Builders for syncs from a Hub: the real source, the whole attempt, and the real library that reads what it
left."""

import os
import threading
from dataclasses import dataclass, field
from pathlib import Path

from dev.origins.hub import HubServer
from modelsync.api import protocol
from modelsync.api.source import sources
from modelsync.api.source.sources import RepositoryType
from modelsync.api.source.transfer import Engine, Layout, Resolved, Verification
from modelsync.worker.attempt.pipeline import run
from modelsync.worker.common.rate_limiter import Limiter
from modelsync.worker.context import Context
from modelsync.worker.http.connector import Network
from modelsync.worker.progress.fallbacks import Devices
from modelsync.worker.progress.state import State
from modelsync.worker.progress.throughput import Meter
from modelsync.worker.sources import credentials as creds
from modelsync.worker.sources import factory
from tests.worker import forked


@dataclass
class HubSync:
    """One sync of a repository into a volume; fields may be changed before `run`."""

    hub: HubServer
    volume: Path
    repository: str = "org/model"
    revision: str = "main"
    dataset: bool = False
    layout: Layout = Layout.HUGGING_FACE_CACHE
    engine: Engine = Engine.NATIVE
    verification: Verification = Verification.CHECKSUM
    sub_path: str = "home"
    token: str | None = None
    allow: tuple[str, ...] = ()
    uid: str = "uid-1"
    resolved: Resolved | None = None
    devices: Devices | None = None
    """Those of a Pod that does nothing else, by default: what this machine's devices count, others cause."""
    ca_file: str | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    state: State = field(default_factory=lambda: State(Meter()))

    @property
    def home(self) -> Path:
        """What a program names as HF_HOME."""
        return self.volume / self.sub_path

    def request(self) -> protocol.WorkRequest:
        kind = RepositoryType.DATASET if self.dataset else RepositoryType.MODEL
        return protocol.WorkRequest(
            uid=self.uid,
            namespace="team",
            name="llama",
            attempt=1,
            source=sources.Source(
                hugging_face=sources.HuggingFaceSource(
                    repository=self.repository,
                    repository_type=kind,
                    revision=self.revision,
                    endpoint=self.hub.url,
                )
            ),
            allow_patterns=self.allow,
            sub_path=self.sub_path,
            layout=self.layout,
            engine=self.engine,
            verification=self.verification,
            resolved=self.resolved,
            tuning=protocol.Tuning(connections=4, chunk_bytes=64 * 1024, max_retries=3, timeout_seconds=5),
        )

    def run(self) -> protocol.Manifest:
        """A whole attempt, with a state of its own."""
        self.volume.mkdir(exist_ok=True)
        self.state = State(Meter())
        request, network = self.request(), Network(timeout_seconds=5, connections=4, ca_file=self.ca_file)
        values = {creds.TOKEN: creds.Hidden(self.token)} if self.token else {}
        source = factory.open_source(
            request.source, creds.Given(where="a test", values=values), network, stop=self.stop
        )
        context = Context(
            request=request,
            source=source,
            network=network,
            state=self.state,
            limiter=Limiter(),
            stop=self.stop,
            volume=self.volume,
            lock_wait_seconds=0.0,
            devices=self.devices or self._sent,
        )
        return run(context)

    def _sent(self) -> tuple[protocol.DeviceCounters, ...]:
        """What the origin has sent, as a Pod's only device counts it."""
        return (
            protocol.DeviceCounters(device="eth0", receive_bytes=self.hub.bytes_sent(), transmit_bytes=0),
        )


def library(home: Path, program: str, **variables: str) -> str:
    """What a program of huggingface_hub prints with this HF_HOME; offline unless set otherwise."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    settings = {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    strict = f"import warnings; warnings.simplefilter('error'); {program.lstrip()}"
    done = forked.run(strict, ["-c"], {**kept, "HOME": str(home), **settings, **variables})
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
