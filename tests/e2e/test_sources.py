"""One sync from each kind of source, end to end: Complete, and every hash equal to the origin's."""

import hashlib
from pathlib import Path
from urllib.parse import quote

import pytest

from dev import kube
from dev.origins.hub import HubServer
from dev.origins.programs import nginx, versitygw
from tests.e2e import release
from tests.e2e.release import ORIGIN_HOST
from tests.e2e.sources import hub_source

FILES = {
    "config.json": b'{"model_type": "tiny"}\n',
    "empty.txt": b"",
    "weights/part-1.bin": bytes(range(256)) * 12_000,
    "weights/part 2 äöü.bin": b"\x00\xff" * 500_000,
}
HASHES = {path: hashlib.sha256(data).hexdigest() for path, data in FILES.items()}


def published(namespace: str, name: str) -> dict[str, str]:
    """Hashes of a sync's files on the claim, without our own folder."""
    found = kube.hashes_on_claim(namespace, "models", release.IMAGE)
    ours = {
        path.removeprefix(f"{name}/"): digest for path, digest in found.items() if path.startswith(f"{name}/")
    }
    return {path: digest for path, digest in ours.items() if not path.startswith(".modelsync/")}


def test_hub_sync_completes_with_equal_hashes(space: str, hub: HubServer) -> None:
    kube.apply(kube.sync("from-hub", space, hub_source(hub, "org/full", files=FILES)))
    sync = kube.wait_complete("from-hub", space)
    assert published(space, "from-hub") == HASHES
    assert sync["status"]["progress"]["filesDone"] == len(FILES)
    assert sync["status"]["display"]["progress"] == "100.0%"
    kube.kubectl("wait", "--for=condition=Ready", "modelsync/from-hub", "-n", space, "--timeout=5s")


def test_s3_sync_completes_with_equal_hashes(space: str, tmp_path: Path) -> None:
    with versitygw.running(tmp_path, ORIGIN_HOST) as s3:
        s3.put("models", {f"llama/{path}": data for path, data in FILES.items()})
        kube.apply(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "s3", "namespace": space},
                "stringData": {"AWS_ACCESS_KEY_ID": s3.access_key, "AWS_SECRET_ACCESS_KEY": s3.secret_key},
            },
            kube.sync(
                "from-s3",
                space,
                {
                    "s3": {
                        "bucket": "models",
                        "prefix": "llama/",
                        "endpoint": s3.url,
                        "secretRef": {"name": "s3"},
                    }
                },
            ),
        )
        kube.wait_complete("from-s3", space)
    assert published(space, "from-s3") == HASHES


AUTHORITIES = "authorities"
"""A ConfigMap whose authorities workers trust."""


@pytest.mark.alone
@pytest.mark.values({"config.worker.caConfigMap": AUTHORITIES})
def test_https_sync_completes_with_equal_hashes(space: str, tmp_path: Path) -> None:
    with nginx.running(tmp_path, ORIGIN_HOST, tls=True) as web:
        web.put(FILES)
        assert web.authority is not None
        files = [
            {
                "url": f"{web.url}/{quote(path)}",
                "path": path,
                **({"sha256": HASHES[path]} if data else {}),
            }
            for path, data in FILES.items()
        ]
        kube.apply(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": AUTHORITIES, "namespace": space},
                "data": {"ca.crt": web.authority.read_text()},
            },
            kube.sync("from-http", space, {"http": {"files": files}}),
        )
        kube.wait_complete("from-http", space)
    assert published(space, "from-http") == HASHES
