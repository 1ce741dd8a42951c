"""A real S3 server over a temporary folder: versitygw with strict signatures, ranges and checksums."""

import contextlib
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from dev.origins import processes

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

ACCESS_KEY, SECRET_KEY, REGION = "modelsync-tests", "not-a-secret-in-tests", "us-east-1"


@functools.cache
def _session() -> boto3.session.Session:
    """One for all clients, since each reads all of boto3's descriptions of services."""
    return boto3.session.Session()


@dataclass(frozen=True, slots=True, kw_only=True)
class Versitygw:
    """A running server and its root account."""

    url: str
    access_key: str = ACCESS_KEY
    secret_key: str = SECRET_KEY
    region: str = REGION

    @contextlib.contextmanager
    def client(self) -> "Iterator[S3Client]":
        """A boto3 client of the root account."""
        with contextlib.closing(
            _session().client(
                "s3",
                endpoint_url=self.url,
                region_name=self.region,
                aws_access_key_id=self.access_key,
                aws_secret_access_key=self.secret_key,
                config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
            )
        ) as client:
            yield client

    def put(self, bucket: str, objects: Mapping[str, bytes], *, checksum: bool = True) -> None:
        """Make the bucket if need be and put objects by key, with a SHA-256 checksum or with none known."""
        with self.client() as client:
            if bucket not in [found.get("Name") for found in client.list_buckets()["Buckets"]]:
                client.create_bucket(Bucket=bucket)
            for key, body in objects.items():
                if checksum:
                    client.put_object(Bucket=bucket, Key=key, Body=body, ChecksumAlgorithm="SHA256")
                else:
                    client.put_object(Bucket=bucket, Key=key, Body=body)


@contextlib.contextmanager
def running(
    folder: Path, host: str = "127.0.0.1", *, domain: str | None = None, versions: bool = False
) -> Iterator[Versitygw]:
    """Run a server over a folder; its metadata is in files, as a tmpfs may lack extended attributes.

    Below a `domain` it takes the bucket from the host name; with `versions` buckets may have them.
    """
    program = processes.binary("versitygw")
    for name in ("buckets", "metadata", "versions"):
        (folder / name).mkdir()
    kept = ["--versioning-dir", str(folder / "versions")] if versions else []
    hosts = ["--virtual-domain", domain] if domain else []

    def command(port: int) -> list[str]:
        return [
            program, "--port", f"{host}:{port}", "--access", ACCESS_KEY, "--secret", SECRET_KEY,
            "--region", REGION, "--keep-alive", "--quiet", *hosts,
            "posix", "--sidecar", str(folder / "metadata"), *kept, str(folder / "buckets"),
        ]  # fmt: skip

    with processes.running(command, host, folder / "versitygw.log") as port:
        yield Versitygw(url=f"http://{host}:{port}")
