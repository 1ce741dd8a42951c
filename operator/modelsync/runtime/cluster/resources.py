"""The Kubernetes resources that the operator touches, and their addresses.

A table instead of generated API classes: every call is `verb and Resource`, so the list of what the operator
may touch (`permissions`) and the list of what it does touch can be compared.
"""

from dataclasses import dataclass
from urllib.parse import quote

from modelsync.api import naming


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A resource type of the API server; one of no namespace is addressed as all namespaces are."""

    group: str
    version: str
    plural: str
    kind: str
    selector: str = ""
    """Label selector for lists and watches; empty for all."""

    def __hash__(self) -> int:
        """Of the kind alone: the store asks for it several times for each Pod."""
        return hash(self.kind)

    @property
    def api_version(self) -> str:
        """`group/version`, or the bare version of the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None, name: str = "", subresource: str = "") -> str:
        """URL path of the collection or of one object; None is all namespaces."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        where = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
        parts = [quote(part, safe=":") for part in (name, subresource) if part]
        return "/".join((f"{root}{where}/{self.plural}", *parts))


_OURS = f"{naming.MANAGED_BY_LABEL}={naming.MANAGED_BY}"

SYNCS = Resource(group=naming.GROUP, version=naming.VERSION, plural=naming.SYNC_PLURAL, kind=naming.SYNC_KIND)
QUEUES = Resource(
    group=naming.GROUP, version=naming.VERSION, plural=naming.QUEUE_PLURAL, kind=naming.QUEUE_KIND
)
JOBS = Resource(group="batch", version="v1", plural="jobs", kind="Job", selector=_OURS)
PODS = Resource(group="", version="v1", plural="pods", kind="Pod", selector=_OURS)
EVENTS = Resource(group="", version="v1", plural="events", kind="Event")
LEASES = Resource(group="coordination.k8s.io", version="v1", plural="leases", kind="Lease")
TOKEN_REVIEWS = Resource(
    group="authentication.k8s.io", version="v1", plural="tokenreviews", kind="TokenReview"
)

WATCHED = (SYNCS, JOBS, PODS)
"""What is watched wherever ModelSyncs are; SyncQueues only in the operator's own namespace."""
