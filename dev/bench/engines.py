"""The engines: how each is called for a job, what of it is verified, and which version it is.

Every engine is called as its manual advises for speed, and asks the Hub for each file as its users do. Only
hf_transfer and curl are handed the CDN's URLs, which spares them the Hub's answers and redirects.
An engine that compares no SHA-256 itself gets a pass that does (`drivers/verify.py`), and that pass counts.
"""

import importlib.metadata
import platform
import re
import subprocess
import sys
from collections.abc import Callable

from dev import target as targets
from dev.bench import commands, origin
from dev.bench.job import BUCKET, DRIVERS, PREFIX, Engine, Job

MODELSYNC = "modelsync"


def _package(name: str) -> Callable[[], str]:
    return lambda: importlib.metadata.version(name)


def _says(program: str, *arguments: str) -> Callable[[], str]:
    """The first number with dots that a program prints about itself."""

    def version() -> str:
        command = [commands.find(program) or program, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        found = re.search(r"\d+(\.\d+)+", done.stdout)
        return found[0] if found else "unknown"

    return version


def _own_version() -> str:
    """The package's version and the commit, as a version alone does not distinguish builds."""
    command = ["git", "-C", str(targets.REPOSITORY), "log", "-1", "--format=%h", "--", "operator"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    release = re.search(r'^version = "(.+)"', (targets.REPOSITORY / "pyproject.toml").read_text(), re.M)
    return " ".join(filter(None, [release[1] if release else "", done.stdout.strip()]))


def _driver(name: str, package: str, script: str, arguments: Callable[[Job], list[str]]) -> Engine:
    path = str(DRIVERS / script)
    return Engine(
        name=name,
        verified=PASS,
        command=lambda job: [sys.executable, path, *arguments(job)],
        version=_package(package),
    )


PASS = "SHA-256 pass afterwards"
OURS_HUB = Engine(
    name=MODELSYNC,
    verified="SHA-256 of the Hub, while fetching; fsync",
    command=commands.modelsync(f"hf://{origin.REPOSITORY}"),
    version=_own_version,
    needs_pass=False,
)
OURS_S3 = Engine(
    name=MODELSYNC,
    verified="checksum of the object, while fetching; fsync",
    command=commands.modelsync(f"s3://{BUCKET}/{PREFIX}"),
    version=_own_version,
    needs_pass=False,
)
HF_TRANSFER = _driver("hf_transfer", "hf_transfer", "by_hf_transfer.py", lambda job: [job.pairs(job.url)])
HUB = Engine(name="hf download", verified=PASS, command=commands.hub, version=_package("huggingface_hub"))
ARIA2 = Engine(name="aria2c", verified=PASS, command=commands.aria2, version=_says("aria2c", "--version"))
BOTO3 = _driver(
    "boto3",
    "boto3",
    "by_boto3.py",
    lambda job: [job.endpoint, BUCKET, job.pairs(lambda path: PREFIX + path)],
)
RCLONE = Engine(name="rclone", verified=PASS, command=commands.rclone, version=_says("rclone", "version"))
S5CMD = Engine(name="s5cmd", verified=PASS, command=commands.s5cmd, version=_says("s5cmd", "version"))
CURL = Engine(
    name="curl -o /dev/null",
    verified="nothing",
    command=commands.curl,
    version=_says("curl", "--version"),
    needs_pass=False,
    limit=True,
)
CURL_S3 = Engine(
    name=CURL.name,
    verified="nothing",
    command=commands.curl_s3,
    version=CURL.version,
    needs_pass=False,
    limit=True,
)
WRITE = Engine(
    name="dd conv=fsync",
    verified="nothing",
    command=commands.write,
    version=_says("dd", "--version"),
    needs_pass=False,
    limit=True,
)


WRITE_MODES = {
    "buffered, then fsync": "buffered",
    "sync_file_range and posix_fadvise": "behind",
    "O_DIRECT": "direct",
}
"""Ways to write a file, by what the tables call them; see drivers/write_modes.py."""
WRITERS = tuple(
    Engine(
        name=name,
        verified="nothing, written only",
        command=lambda _: [],
        version=lambda: platform.release().split("-")[0],
        needs_pass=False,
    )
    for name in WRITE_MODES
)
