"""Low limits and bodies without a length, of which the engine once used up all of its memory and hung."""

import pytest

from dev import kube
from dev.origins.content import Fixed, Synthetic, hexdigest
from dev.origins.files.origin import Origin
from dev.origins.hub import HubServer
from tests.e2e import release
from tests.e2e.release import ORIGIN_HOST
from tests.e2e.sources import hub_source

TOKENIZER = bytes(range(256)) * 2735
"""700,160 bytes: between what is taken in one piece and what is hashed as it grows."""
CHUNKED = Synthetic(150_000_000, 3)
"""More than all of the engine's blocks."""


@pytest.mark.early
def test_a_low_limit_and_a_body_without_a_length_end_complete(space: str, hub: HubServer) -> None:
    files = {"tokenizer.json": TOKENIZER, "model.safetensors": TOKENIZER[::-1] * 4}
    slow = kube.sync("slow", space, hub_source(hub, "org/slow", files=files), bandwidthLimit="150k")
    with Origin({"model.bin": CHUNKED}, host=ORIGIN_HOST) as origin:
        origin.strike("model.bin", "wholex*", "chunkedx*")
        http = {"http": {"files": [{"url": f"{origin.url}/web/model.bin", "path": "model.bin"}]}}
        unsized = kube.sync("unsized", space, http)
        kube.apply(slow, unsized)
        kube.wait_complete("unsized", space)
    kube.wait_complete("slow", space)
    found = kube.hashes_on_claim(space, "models", release.IMAGE)
    assert found["unsized/model.bin"] == hexdigest(CHUNKED, "sha256")
    for path, data in files.items():
        assert found[f"slow/{path}"] == hexdigest(Fixed(data), "sha256")
