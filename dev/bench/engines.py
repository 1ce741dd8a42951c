"""The engines: how each is called for a job, what of it is verified, and which version it is.

Every engine is called as its manual advises for speed. Those of Hub repositories ask the Hub, as their users
do; aria2c, hf_transfer and curl are handed the CDN's URLs, which spares them the Hub's answers and redirects.
Whatever does not compare SHA-256 itself gets a pass that does (`drivers/verify.py`), and that pass counts.
"""

import importlib.metadata
import json
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dev import target as targets
from dev.bench import origin, tools
from dev.bench.data import FileSet
from tests.origins import versitygw

DRIVERS = Path(__file__).resolve().parent / "drivers"
BUCKET, PREFIX = "bench", "model/"
MODELSYNC = "modelsync"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What an engine is to fetch, and where to."""

    files: FileSet
    endpoint: str
    """The Hub's, or the S3 server's."""
    cdn: str
    """What the CDN's URLs begin with."""
    target: Path
    work: Path
    """A scratch folder of this run."""
    authority: Path | None = None
    prefix: tuple[str, ...] = ()
    """What to run the engine by, such as in a network namespace."""

    def write(self, name: str, text: str) -> str:
        """Write a file that the command line names."""
        (self.work / name).write_text(text)
        return str(self.work / name)

    def pairs(self, address: Callable[[str], str]) -> str:
        """A JSON list of [address, local path], written to a file."""
        pairs = [(address(file.path), str(self.target / file.path)) for file in self.files.files]
        return self.write("wanted.json", json.dumps(pairs))

    def url(self, path: str) -> str:
        """The CDN's URL of a file."""
        return self.cdn + path


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """One way to fetch a set of files."""

    name: str
    verified: str
    """What is compared when the measured time ends."""
    command: Callable[[Job], list[str]]
    version: Callable[[], str]
    needs_pass: bool = True
    """Whether the SHA-256 pass follows and counts."""
    limit: bool = False
    """It stores or checks nothing: a bound to compare with, no rival."""


def environment(job: Job) -> Mapping[str, str]:
    """The whole environment of a run: nothing of the user's own, no proxy, no cache."""
    found = {
        "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin",
        "HOME": str(job.work),
        "PYTHONPATH": str(targets.REPOSITORY / "operator"),
        "HF_ENDPOINT": job.endpoint,
        "HF_HOME": str(job.work / "hf"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "AWS_ENDPOINT_URL": job.endpoint,
        "AWS_ACCESS_KEY_ID": versitygw.ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": versitygw.SECRET_KEY,
        "AWS_REGION": versitygw.REGION,
        "AWS_DEFAULT_REGION": versitygw.REGION,
    }
    if job.authority:
        found["SSL_CERT_FILE"] = str(job.authority)
    return found


def verification(job: Job, *, fsync: bool) -> list[str]:
    """The pass over what an engine wrote; with `fsync` it also brings the files to the disk, as ours does."""
    told = job.write("manifest.json", json.dumps({file.path: file.sha256 for file in job.files.files}))
    more = ["--fsync"] if fsync else []
    return [sys.executable, "-I", str(DRIVERS / "verify.py"), told, str(job.target), *more]


def _modelsync(source: str) -> Callable[[Job], list[str]]:
    def command(job: Job) -> list[str]:
        places = ["--to", str(job.target), "--endpoint", job.endpoint]
        return [sys.executable, "-m", "modelsync", "pull", source, *places, "--json"]

    return command


def _hub(job: Job) -> list[str]:
    hf = Path(sys.executable).parent / "hf"
    return [str(hf), "download", origin.REPOSITORY, "--local-dir", str(job.target), "--quiet"]


def _aria2(job: Job) -> list[str]:
    listed = "".join(f"{job.url(file.path)}\n  out={file.path}\n" for file in job.files.files)
    trust = [f"--ca-certificate={job.authority}"] if job.authority else []
    return [
        "aria2c", "--no-conf", f"--input-file={job.write('aria2.txt', listed)}", f"--dir={job.target}",
        "--max-connection-per-server=16", "--split=16", "--min-split-size=4M", "--max-concurrent-downloads=8",
        "--file-allocation=falloc", "--summary-interval=0", "--console-log-level=warn", *trust,
    ]  # fmt: skip


def _curl(job: Job) -> list[str]:
    listed = "".join(f'url = "{job.url(file.path)}"\noutput = "/dev/null"\n' for file in job.files.files)
    trust = ["--cacert", str(job.authority)] if job.authority else []
    parallel = ["--parallel", "--parallel-max", "8"] if len(job.files.files) > 1 else []
    return ["curl", "-sSf", *parallel, *trust, "--config", job.write("curl.txt", listed)]


def _curl_s3(job: Job) -> list[str]:
    with versitygw.Versitygw(url=job.endpoint).client() as client:
        urls = [
            client.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": PREFIX + file.path})
            for file in job.files.files
        ]
    listed = "".join(f'url = "{url}"\noutput = "/dev/null"\n' for url in urls)
    return ["curl", "-sSf", "--config", job.write("curl.txt", listed)]


def _rclone(job: Job) -> list[str]:
    told = {"type": "s3", "provider": "Other", "env_auth": "true", "endpoint": job.endpoint}
    text = "[bench]\n" + "".join(f"{name} = {value}\n" for name, value in told.items())
    parallel = ["--transfers", "8", "--multi-thread-cutoff", "64M", "--multi-thread-streams", "8"]
    source = f"bench:{BUCKET}/{PREFIX}"
    return ["rclone", "copy", source, str(job.target), "--config", job.write("rclone.conf", text), *parallel]


def _s5cmd(job: Job) -> list[str]:
    program = find("s5cmd") or "s5cmd"
    source = f"s3://{BUCKET}/{PREFIX}*"
    return [program, "--endpoint-url", job.endpoint, "--log", "error", "cp", source, f"{job.target}/"]


def _write(job: Job) -> list[str]:
    (only,) = job.files.files
    job.target.mkdir(parents=True, exist_ok=True)
    return ["dd", f"if={job.files.folder / only.path}", f"of={job.target / only.path}", "bs=1M", "conv=fsync"]


def find(program: str) -> str | None:
    """A program on PATH or of the benchmark's own."""
    own = tools.s5cmd()
    return str(own) if program == own.name and own.exists() else shutil.which(program)


def _package(name: str) -> Callable[[], str]:
    return lambda: importlib.metadata.version(name)


def _says(program: str, *arguments: str) -> Callable[[], str]:
    """The first number with dots that a program prints about itself."""

    def version() -> str:
        command = [find(program) or program, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        found = re.search(r"\d+(\.\d+)+", done.stdout)
        return found[0] if found else "unknown"

    return version


def _own_version() -> str:
    """The package's version and the commit, as a version alone does not tell builds apart."""
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
    command=_modelsync(f"hf://{origin.REPOSITORY}"),
    version=_own_version,
    needs_pass=False,
)
OURS_S3 = Engine(
    name=MODELSYNC,
    verified="checksum of the object, while fetching; fsync",
    command=_modelsync(f"s3://{BUCKET}/{PREFIX}"),
    version=_own_version,
    needs_pass=False,
)
HF_TRANSFER = _driver("hf_transfer", "hf_transfer", "by_hf_transfer.py", lambda job: [job.pairs(job.url)])
HUB = Engine(name="hf download", verified=PASS, command=_hub, version=_package("huggingface_hub"))
ARIA2 = Engine(name="aria2c", verified=PASS, command=_aria2, version=_says("aria2c", "--version"))
BOTO3 = _driver(
    "boto3",
    "boto3",
    "by_boto3.py",
    lambda job: [job.endpoint, BUCKET, job.pairs(lambda path: PREFIX + path)],
)
RCLONE = Engine(name="rclone", verified=PASS, command=_rclone, version=_says("rclone", "version"))
S5CMD = Engine(name="s5cmd", verified=PASS, command=_s5cmd, version=_says("s5cmd", "version"))
CURL = Engine(
    name="curl -o /dev/null",
    verified="nothing",
    command=_curl,
    version=_says("curl", "--version"),
    needs_pass=False,
    limit=True,
)
CURL_S3 = Engine(
    name=CURL.name, verified="nothing", command=_curl_s3, version=CURL.version, needs_pass=False, limit=True
)
WRITE = Engine(
    name="dd conv=fsync",
    verified="nothing",
    command=_write,
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
