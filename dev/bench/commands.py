"""The command line of each engine for a job, as its manual advises for speed."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from dev.bench import origin, tools
from dev.bench.job import BUCKET, PREFIX, Job
from dev.origins.programs import versitygw


def modelsync(source: str) -> Callable[[Job], list[str]]:
    """Ours, from a source such as hf://org/name."""

    def command(job: Job) -> list[str]:
        places = ["--to", str(job.target), "--endpoint", job.endpoint]
        return [sys.executable, "-m", "modelsync", "pull", source, *places, "--json"]

    return command


def hub(job: Job) -> list[str]:
    """huggingface_hub's own command line."""
    hf = Path(sys.executable).parent / "hf"
    return [str(hf), "download", origin.REPOSITORY, "--local-dir", str(job.target), "--quiet"]


def aria2(job: Job) -> list[str]:
    """aria2c with a list of the Hub's URLs, whose redirects it follows: 16 connections a file, 8 files at
    once."""
    base = f"{job.endpoint}/{origin.REPOSITORY}/resolve/{origin.COMMIT}"
    listed = "".join(f"{base}/{file.path}\n  out={file.path}\n" for file in job.files.files)
    trust = [f"--ca-certificate={job.authority}"] if job.authority else []
    return [
        "aria2c", "--no-conf", f"--input-file={job.write('aria2.txt', listed)}", f"--dir={job.target}",
        "--max-connection-per-server=16", "--split=16", "--min-split-size=4M", "--max-concurrent-downloads=8",
        "--file-allocation=falloc", "--summary-interval=0", "--console-log-level=warn", *trust,
    ]  # fmt: skip


def curl(job: Job) -> list[str]:
    """curl, eight files at once where there are several; nothing is stored."""
    listed = "".join(f'url = "{job.url(file.path)}"\noutput = "/dev/null"\n' for file in job.files.files)
    trust = ["--cacert", str(job.authority)] if job.authority else []
    return ["curl", "-sSf", *_at_once(job), *trust, "--config", job.write("curl.txt", listed)]


def curl_s3(job: Job) -> list[str]:
    """curl with presigned URLs."""
    with versitygw.Versitygw(url=job.endpoint).client() as client:
        urls = [
            client.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": PREFIX + file.path})
            for file in job.files.files
        ]
    listed = "".join(f'url = "{url}"\noutput = "/dev/null"\n' for url in urls)
    return ["curl", "-sSf", *_at_once(job), "--config", job.write("curl.txt", listed)]


def _at_once(job: Job) -> list[str]:
    return ["--parallel", "--parallel-max", "8"] if len(job.files.files) > 1 else []


def rclone(job: Job) -> list[str]:
    """rclone with parts of large files at once."""
    options = {"type": "s3", "provider": "Other", "env_auth": "true", "endpoint": job.endpoint}
    text = "[bench]\n" + "".join(f"{name} = {value}\n" for name, value in options.items())
    parallel = ["--transfers", "8", "--multi-thread-cutoff", "64M", "--multi-thread-streams", "8"]
    source = f"bench:{BUCKET}/{PREFIX}"
    return ["rclone", "copy", source, str(job.target), "--config", job.write("rclone.conf", text), *parallel]


def s5cmd(job: Job) -> list[str]:
    """s5cmd with its own defaults, which are parallel."""
    program = find("s5cmd") or "s5cmd"
    source = f"s3://{BUCKET}/{PREFIX}*"
    return [program, "--endpoint-url", job.endpoint, "--log", "error", "cp", source, f"{job.target}/"]


def write(job: Job) -> list[str]:
    """A sequential write of the set's only file, synced at the end."""
    (only,) = job.files.files
    job.target.mkdir(parents=True, exist_ok=True)
    return ["dd", f"if={job.files.folder / only.path}", f"of={job.target / only.path}", "bs=1M", "conv=fsync"]


def find(program: str) -> str | None:
    """A program on PATH or of the benchmark's own."""
    own = tools.s5cmd()
    return str(own) if program == own.name and own.exists() else shutil.which(program)
