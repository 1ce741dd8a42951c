"""Sources for the end-to-end tests, served by our Hub-compatible server."""

from collections.abc import Mapping

from dev import kube
from dev.origins.hub import HubServer, Repository, Synthetic

GATED = "org/gated"
GATED_TOKEN = "hf_right"


def hub_source(
    hub: HubServer,
    repository: str,
    *,
    size: int = 0,
    rate: float | None = None,
    files: Mapping[str, bytes] | None = None,
) -> kube.Object:
    """Serve a repository (given files, or one of `size` synthetic bytes) and return it as spec.source."""
    if rate is not None:
        hub.rate = rate
    hub.add(Repository(repository, files or {"model.safetensors": Synthetic(size)}))
    return {"huggingFace": {"repository": repository, "endpoint": hub.url}}


def add_gated(hub: HubServer) -> kube.Object:
    """A gated repository that only GATED_TOKEN opens, as spec.source without a Secret."""
    hub.add(Repository(GATED, {"config.json": b"{}"}, gated=True))
    return {"huggingFace": {"repository": GATED, "endpoint": hub.url}}
