"""Canaries in every secret that a worker holds: none may turn up in anything that it leaves or says.

The real command runs with its log at debug, from each kind of source, well and badly. Looked through are its
log, its termination report, the answers of /progress, its arguments and environment and those of its
children, and every byte that it left on the volume: journal, staging files, manifest, names.
"""

import base64
import contextlib
import functools
import ipaddress
import os
import random
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path

from dev import target as targets
from dev.origins.content import Synthetic
from dev.origins.files.origin import Origin
from dev.origins.serving.messages import Object
from modelsync.api import naming, protocol
from modelsync.api.source import sources
from tests.faults.case import Case, Tally
from tests.faults.rows.tls import made
from tests.origins.syncs import Sync

KEY = "the-key-of-progress"
PATIENCE = 20
"""Seconds without progress that end a worker: more than a loaded machine takes to load the libraries."""
WORDS = ("canary", base64.b64encode(b"somebody:canary-password").decode())
"""Every secret holds the first; a Basic header hides it."""
CREDENTIALS = {
    "hub": {"token": "hf_canary_token"},
    "s3": {
        "AWS_ACCESS_KEY_ID": "AKIACANARYcanary",
        "AWS_SECRET_ACCESS_KEY": "canary-secret-key",
        "AWS_SESSION_TOKEN": "canary-session",
    },
    "web": {"username": "somebody", "password": "canary-password"},
}
SECRET_OF: dict[str, dict[str, dict[str, object]]] = {
    "hub": {"hugging_face": {"secret_ref": sources.TokenSecretRef(name="hub-token")}},
    "s3": {"s3": {"secret_ref": sources.SecretRef(name="bucket-keys")}},
    "web": {"http": {"secret_ref": sources.SecretRef(name="account")}},
}
BAD: tuple[tuple[str, ...], ...] = (
    (),
    ("status=401x*",),
    ("status=403x*",),
    ("cut@50%", "status=503", "drop"),
    ("redirect=https://nowhere.invalid/x?Signature=canary-redirectx*",),
    ("redirect=ftp://nowhere.invalid/x?Signature=canary-redirectx*",),
    ("redirectx*",),
    ("flip@5%x*",),
    ("stall@60%x*",),
    ("htmlx*",),
    ("status=503x*",),
    ("header=ETag:x*", "status=404x*"),
)
"""What happens to the file; the first is nothing."""
TITLES = {"hub": "the Hub's token", "s3": "the keys of a bucket", "web": "an account and signatures in URLs"}


def _one_run(kind: str, faults: Iterable[str], generator: random.Random) -> str:
    """A worker that meets the faults; where a canary was seen, or nothing."""
    tls = made("127.0.0.1")
    files = {"model.bin": Object(content=Synthetic(400_000, generator.randrange(1000))), "a.json": Object(
        content=Synthetic(100, 1), lfs=False)}  # fmt: skip
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="secrets-")))
        token = CREDENTIALS["hub"]["token"]
        origin = Origin(files, certificate=(tls.certificate, tls.key), token=token)
        stack.enter_context(origin)
        origin.strike("model.bin", *faults)
        sync = Sync(origin=origin, volume=directory / "volume", kind=kind, timeout=1.0, max_retries=1)
        sync.urls = {path: f"{origin.url}/web/{path}?sig=canary-url" for path in files}
        seen = _worker(sync, directory, tls.authority)
        if not any(origin.log.heard(word) for word in WORDS):
            seen.append("nowhere, not even where the secret belongs")
        return "; ".join(seen)


def _worker(sync: Sync, directory: Path, authority: Path) -> list[str]:
    """Run the command, look at it meanwhile, and return where canaries were."""
    sync.volume.mkdir()
    (directory / "secret").mkdir()
    for name, value in CREDENTIALS[sync.kind].items():
        (directory / "secret" / name).write_text(value)
    (directory / "request.json").write_text(_request(sync))
    (directory / "key").write_text(KEY)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    root = targets.REPOSITORY
    paths = {"request": "request.json", "secret-dir": "secret", "volume": "volume", "key-file": "key",
             "termination-log": "words"}  # fmt: skip
    flags = [part for flag, name in paths.items() for part in (f"--{flag}", str(directory / name))]
    environment = {
        **os.environ,
        "PYTHONPATH": str(root / "operator"),
        "MODELSYNC_LOG_LEVEL": "debug",
        "SSL_CERT_FILE": str(authority),
        "HTTP_PROXY": "http://proxy:canary-proxy@127.0.0.1:9",
        "NO_PROXY": "127.0.0.1",
    }
    with (
        (directory / "log").open("wb") as log,
        subprocess.Popen(
            [sys.executable, "-m", "modelsync", "worker", *flags, "--port", str(port)],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        found = _watched(process, port)
    left = {path: path.read_bytes() for path in sync.volume.rglob("*") if path.is_file()}
    left |= {directory / name: (directory / name).read_bytes() for name in ("log", "words")}
    return found + [f"in {path.name}" for path, data in left.items() if _reveals(path.name.encode() + data)]


def _request(sync: Sync) -> str:
    request = sync.request()
    source = request.source
    for name, fields in SECRET_OF[sync.kind].items():
        source = source.model_copy(update={name: getattr(source, name).model_copy(update=fields)})
    addresses = protocol.Addresses(allowed=(ipaddress.IPv4Network("127.0.0.0/8"),))
    return request.replace(source=source, progress_deadline_seconds=PATIENCE, addresses=addresses).dump_json()


def _watched(process: "subprocess.Popen[bytes]", port: int) -> list[str]:
    """Look at arguments, environments and /progress until the process ends."""
    found: set[str] = set()
    while True:
        for pid in _family(process.pid):
            found |= {
                f"in {name} of a process" for name in ("cmdline", "environ") if _reveals(_proc(pid, name))
            }
        if _reveals(_progress(port)):
            found.add("in /progress")
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.1)
            return sorted(found)


def _family(pid: int) -> Iterator[int]:
    yield pid
    for child in _proc(pid, f"task/{pid}/children").split():
        yield from _family(int(child))


def _proc(pid: int, name: str) -> bytes:
    with contextlib.suppress(OSError):
        # The proxy's password is the environment's own: that is where users put it.
        return Path(f"/proc/{pid}/{name}").read_bytes().replace(b"canary-proxy", b"")
    return b""


def _progress(port: int) -> bytes:
    asked = urllib.request.Request(f"http://127.0.0.1:{port}/progress", headers={naming.KEY_HEADER: KEY})
    with contextlib.suppress(OSError, urllib.error.URLError):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(asked, timeout=1) as answer:
            return bytes(answer.read())
    return b""


def _reveals(data: bytes) -> bool:
    lowered = data.lower()
    return any(word.lower().encode() in lowered for word in WORDS)


def _runs(kind: str, seed: int, count: int) -> Tally:
    tally = Tally()
    for number in range(count):
        faults = BAD[number % len(BAD)]
        seen = _one_run(kind, faults, random.Random(f"{kind} {seed} {number}"))
        tally.add(not seen, f"run {number} ({', '.join(faults) or 'no fault'}): {seen}")
    return tally


CASES: tuple[Case, ...] = tuple(
    Case(suite="secrets", name=f"{title} in nothing that is left or said", run=functools.partial(_runs, kind),
         full=2 * len(BAD), quick=2)
    for kind, title in TITLES.items()
)  # fmt: skip
