"""From a case to an origin that serves its files, and the link to it."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dev.bench import distance, job, origin, relay
from dev.bench.cases import FAR_RATE, ROUND_TRIP_SECONDS, Case, Reach
from dev.bench.data import FileSet
from dev.origins.programs import versitygw


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How an engine reaches the files."""

    endpoint: str
    cdn: str = ""
    authority: Path | None = None
    prefix: tuple[str, ...] = ()


@contextlib.contextmanager
def reachable(case: Case, files: FileSet, folder: Path) -> Iterator[Access]:
    """Serve a case's files until the block ends."""
    if case.reach is Reach.S3:
        with _s3(files, folder) as access:
            yield access
    elif case.reach is Reach.FAR:
        with (
            distance.between(ROUND_TRIP_SECONDS, FAR_RATE) as far,
            origin.serving(
                files, folder, tls=case.tls, addresses=far.addresses, port=8080, prefix=far.on_server
            ) as served,
        ):
            where = (served.url(), served.cdn_url())
            yield Access(endpoint=where[0], cdn=where[1], authority=served.authority, prefix=far.on_client)
    else:
        with origin.serving(files, folder, tls=case.tls) as served, contextlib.ExitStack() as stack:
            held = relay.running(served.port, case.rate, origin.LOOPBACK) if case.rate else None
            port = stack.enter_context(held) if held else None
            yield Access(endpoint=served.url(port), cdn=served.cdn_url(port), authority=served.authority)


@contextlib.contextmanager
def _s3(files: FileSet, folder: Path) -> Iterator[Access]:
    folder.mkdir()
    with versitygw.running(folder) as server:
        with server.client() as client:
            client.create_bucket(Bucket=job.BUCKET)
            for file in files.files:
                with (files.folder / file.path).open("rb") as body:
                    key = job.PREFIX + file.path
                    client.put_object(Bucket=job.BUCKET, Key=key, Body=body, ChecksumAlgorithm="SHA256")
        yield Access(endpoint=server.url)
