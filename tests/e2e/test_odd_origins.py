"""Origins as they are: a HEAD that says nothing right, labels of codings, and pages in place of models."""

import gzip
import hashlib

from dev import kube
from dev.origins.files import s3
from dev.origins.files.origin import Origin
from tests.e2e import release
from tests.e2e.release import ORIGIN_HOST

WEIGHTS = bytes(range(256)) * 4000
CODED = gzip.compress(WEIGHTS, mtime=0)
PAGE = b"<!DOCTYPE html><html><body>" + b"Please sign in. " * 3000 + b"</body></html>"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"ab" * 32 + b"\nsize 4976698672\n"
FILES = {
    "weights.bin": WEIGHTS,
    "gz/tokenizer.json": CODED,
    "page.safetensors": PAGE,
    "lfs/model.safetensors": POINTER,
}
LABEL = "header=Content-Encoding:gzipx*"


def http(origin: Origin, path: str) -> kube.Object:
    """One file of the origin as spec.source."""
    return {"http": {"files": [{"url": f"{origin.url}/web/{path}", "path": path}]}}


def bucket(origin: Origin, prefix: str) -> kube.Object:
    """A folder of the origin's bucket as spec.source."""
    return {"s3": {"bucket": s3.BUCKET, "prefix": prefix, "endpoint": origin.url}}


def failed(name: str, namespace: str, reason: str, says: str) -> None:
    """Wait until a ModelSync has failed, and compare why."""
    sync = kube.wait_for(name, namespace, kube.phase_is("Failed", "Complete"), timeout=90, what=says)
    assert kube.ready_reason(sync) == reason, sync["status"]
    assert any(says in condition["message"] for condition in sync["status"]["conditions"])


def test_odd_origins_give_their_bytes_or_a_reason(space: str) -> None:
    with Origin(FILES, host=ORIGIN_HOST) as origin:
        origin.strike("weights.bin", "head:length=0x*")
        origin.strike("gz/tokenizer.json", LABEL, f"head:{LABEL}")
        kube.apply(
            kube.sync("empty-head", space, http(origin, "weights.bin")),
            kube.sync("coded-object", space, bucket(origin, "gz/")),
            kube.sync("coded-file", space, http(origin, "gz/tokenizer.json")),
            kube.sync("page", space, http(origin, "page.safetensors"), backoffLimit=0),
            kube.sync("pointer", space, bucket(origin, "lfs/")),
        )
        for name in ("empty-head", "coded-object", "coded-file"):
            kube.wait_complete(name, space)
        failed("page", space, "OriginError", "HTML page")
        failed("pointer", space, "NotFound", "Git LFS pointer")
    found = kube.hashes_on_claim(space, "models", release.IMAGE)
    names = {path: digest for path, digest in found.items() if ".modelsync/" not in path}
    assert names == {
        "empty-head/weights.bin": hashlib.sha256(WEIGHTS).hexdigest(),
        "coded-object/tokenizer.json": hashlib.sha256(CODED).hexdigest(),
        "coded-file/gz/tokenizer.json": hashlib.sha256(CODED).hexdigest(),
    }
