"""What a ModelSync's status says of the objects that carry out its attempts."""

from modelsync.api.common.base import Value


class WorkerStatus(Value):
    """The worker of the running attempt; absent when none runs."""

    pod_name: str | None = None
    """Name of the Pod."""
    node_name: str | None = None
    """Name of its node."""
    bytes_network_before: int | None = None
    """progress.bytesNetwork of the attempts before this Pod: what it reports itself is added to that."""


class JobReference(Value):
    """A Job that the operator made."""

    name: str
    """Its name."""
    uid: str
    """Its uid: another Job under this name is not believed."""
