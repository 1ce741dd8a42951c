"""That faults are injected at every call which changes a volume, and not only at those that we thought of."""

import re
import shutil
from collections import Counter
from pathlib import Path

import pytest

from dev.origins.content import noise
from dev.origins.files.web import WebOrigin
from tests.faults import workers
from tests.worker.syncs import CHUNK

OTHERS = (
    "write",
    "writev",
    "pwritev",
    "pwritev2",
    "rename",
    "unlink",
    "rmdir",
    "mkdir",
    "link",
    "symlink",
    "truncate",
    "ftruncate",
    "fallocate",
    "fsync",
    "fdatasync",
    "sync_file_range",
    "sendfile",
    "copy_file_range",
    "splice",
)
CHANGING = {
    "openat": "open",
    "open": "open",
    "creat": "open",
    "pwrite64": "pwrite",
    "renameat": "rename",
    "renameat2": "rename",
    "unlinkat": "unlink",
    "mkdirat": "mkdir",
    "linkat": "link",
    "symlinkat": "symlink",
    **{name: name for name in OTHERS},
}
FILES = {"model.bin": noise(20 * CHUNK + 3), "a/b.json": b"{}", "empty": b""}


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_the_kernel_sees_no_changing_call_that_the_hooks_do_not(tmp_path: Path) -> None:
    trace, noted = tmp_path / "trace", tmp_path / "calls"
    watched = ["strace", "-f", "-y", "-qq", "-o", str(trace), "-e", f"trace={','.join(CHANGING)}"]
    with WebOrigin(FILES) as origin, workers.serving(under=watched) as server:
        volume = workers.Volume(server=server, origin=origin, directory=server.scratch / "one")
        assert volume.run(count=str(noted)).code == 0
        mounted = f"<{volume.mounted}/{workers.SUB_PATH}"
    seen: Counter[str] = Counter()
    for line in trace.read_text().splitlines():
        call = re.match(r"\d+ +(\w+)\((.*)", line)
        if call is None or mounted not in call[2] or "ENOENT" in line:
            continue
        name, rest = CHANGING[call[1]], call[2]
        if name == "open" and not re.search("O_CREAT|O_TRUNC", rest):
            continue
        seen["rmdir" if "AT_REMOVEDIR" in rest else name] += 1
    hooked = Counter(name for name, place in workers.counted(noted) if f"{volume.mounted}/" in place + "/")
    hooked["mkdir"] -= 1  # that of the target itself, in the volume's root
    hooked["fsync"] -= 1
    assert seen == hooked
    assert {"open", "write", "pwrite", "rename", "unlink", "fsync", "fdatasync", "fallocate"} <= seen.keys()
