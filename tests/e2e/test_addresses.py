"""Whom a worker asks and how: pages of a listing elsewhere, and proxies with their exceptions."""

import pytest

from dev import kube
from dev.origins.files import hub
from dev.origins.files.origin import Origin
from tests.e2e import release
from tests.e2e.release import ORIGIN_HOST

FILES = {f"model-{number}.safetensors": b"weights %d" % number for number in (1, 2, 3)}


def source(origin: Origin, **more: object) -> kube.Object:
    """The origin's repository as spec.source."""
    return {"huggingFace": {"repository": hub.REPOSITORY, "endpoint": origin.url, **more}}


def test_a_page_that_a_mirror_names_elsewhere_is_asked_of_the_mirror(space: str) -> None:
    upstream = Origin(FILES, host=ORIGIN_HOST, token="hf_right")
    mirror = Origin(FILES, host=ORIGIN_HOST, token="hf_right")
    mirror.page_size, mirror.pages_at = 1, upstream.url
    with upstream, mirror:
        kube.apply(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "hub", "namespace": space},
                "stringData": {"token": "hf_right"},
            },
            kube.sync("mirrored", space, source(mirror, secretRef={"name": "hub"})),
        )
        kube.wait_complete("mirrored", space)
        assert upstream.accepted == 0


@pytest.mark.alone
@pytest.mark.values(release.UNUSUAL)
def test_a_block_of_addresses_in_no_proxy_is_asked_directly(space: str) -> None:
    with Origin(FILES, host=ORIGIN_HOST) as origin:
        kube.apply(kube.sync("direct", space, source(origin)))
        kube.wait_complete("direct", space)
