"""A small Hub-compatible server of our own: the origin of the demo and of the tests.

    with HubServer(Repository("org/name", {"config.json": b"{}", "model.bin": Synthetic(10**9)})) as hub:
        ...  # hub.url, hub.bytes_sent("model.bin"), hub.strike("*.bin", Cut(1000), times=3)

It speaks what huggingface_hub needs to read: information, tree, revisions, resolve, gated and private
repositories, Xet storage. As a command: `python -m dev.origins.hub --root DIR`.
"""

from dev.origins.content import Synthetic
from dev.origins.hub.repository import Repository
from dev.origins.hub.server import HubServer

__all__ = ["HubServer", "Repository", "Synthetic"]
