"""What the REST API takes and returns beside ModelSyncs and the values of `reading`; the OpenAPI document is
made of these."""

from enum import StrEnum
from typing import Annotated, Any

import pydantic
from pydantic import Field
from pydantic.alias_generators import to_camel

from modelsync.api.common.base import Value
from modelsync.api.common.field_docs import Documented
from modelsync.api.modelsync import ModelSync
from modelsync.reading.values import ActWords, Completion, Node, Queue, Rate, Speed, Whole

NAMESPACE = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
NAME = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
FORMS = {
    NAMESPACE: "must be lower-case letters, digits and '-', with a letter or digit at both ends",
    NAME: "must be lower-case letters, digits, '-' and '.', with a letter or digit at both ends of each part",
}
"""What a pattern asks for, in words."""
NamespaceName = Annotated[str, Field(max_length=63, pattern=NAMESPACE)]
SyncName = Annotated[str, Field(max_length=253, pattern=NAME)]


class Asked(Documented):
    """A request's body: an unknown field is a mistake, and refused."""

    model_config = pydantic.ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
    )


class Login(Asked):
    """Logging in."""

    token: Annotated[str, Field(max_length=16_384, repr=False)]
    """A bearer token of the cluster, such as that of `kubectl create token NAME`; on a laptop that of the
    URL."""


class LogLines(Value):
    """The end of a worker's log."""

    pod: str
    """The Pod that wrote it."""
    lines: tuple[str, ...]
    """The oldest first; each one printable line of at most 4,096 characters."""
    cut: bool = False
    """Whether lines that were asked for are left out, since these are very long."""


class NewMetadata(Asked):
    """Metadata of a new ModelSync."""

    name: SyncName
    """Its name."""
    labels: dict[str, str] | None = None
    """Its labels."""
    annotations: dict[str, str] | None = None
    """Its annotations."""


class NewSync(Asked):
    """A ModelSync to create."""

    api_version: str = ""
    """May be left out."""
    kind: str = ""
    """May be left out."""
    metadata: NewMetadata
    """Its name, labels and annotations; the namespace is that of the path."""
    spec: dict[str, Any]
    """As in a manifest; the API server checks it, and a field that it does not know is refused."""


class Priority(Asked):
    """Another priority."""

    priority: Annotated[int, Field(ge=-1000, le=1000)]
    """`spec.priority`: higher goes first."""


class Limit(Asked):
    """Another bandwidth limit."""

    bandwidth_limit: Annotated[str | None, Field(max_length=32)]
    """`spec.bandwidthLimit`, such as `50M`; null lifts the limit."""


class RetryFailed(Asked):
    """Which Failed ModelSyncs to retry."""

    namespace: NamespaceName | None = None
    """Of this namespace only; of all that the caller may list when absent."""


class Clear(Asked):
    """Which entries to clear. Files on volumes stay."""

    namespace: NamespaceName
    """Whose entries."""
    names: Annotated[tuple[SyncName, ...], Field(max_length=500)] = ()
    """Only these. One that is not finished is cancelled, which gives its place in the queue back; it is
    deleted by a further clear, when it is finished. All that are finished when empty."""
    phases: tuple[str, ...] = ("Complete", "Failed", "Cancelled")
    """Of the finished ones, only those in these phases."""
    older_than_seconds: Annotated[int, Field(ge=0, le=315_360_000)] = 0
    """Only those that finished so long ago."""
    dry_run: bool = False
    """Say what would be done, and do nothing."""


class Outcome(StrEnum):
    """What an act did to one ModelSync."""

    CHANGED = "changed"
    UNCHANGED = "unchanged"
    """It was so already."""
    DELETED = "deleted"
    CANCELLED = "cancelled"
    WOULD_DELETE = "wouldDelete"
    WOULD_CANCEL = "wouldCancel"
    FAILED = "failed"


class Result(Value):
    """One ModelSync of an act on several."""

    namespace: str
    name: str
    outcome: Outcome
    detail: str = ""
    """Why it failed."""


class Results(Value):
    """An act on several; one that fails does not stop the others."""

    results: tuple[Result, ...]
    truncated: bool = False
    """Whether there are more, of very many or where it took longer than a list lasts: ask again."""


class Acted(Value):
    """An act on one."""

    changed: bool
    """False where it was so already."""
    sync: ModelSync
    """As it is now."""


class Page(Value):
    """A page of a list."""

    items: tuple[ModelSync, ...]
    continue_: Annotated[str | None, Field(alias="continue")] = None
    """Give it as `continue` for the next page; absent on the last."""
    remaining: int | None = None
    """About how many follow."""


class Session(Value):
    """Who the caller is and what this server lets them do."""

    mode: str
    """laptop or cluster."""
    user: str | None = None
    """The caller's name at the API server."""
    read_only: bool
    """Whether acts are refused, whatever the caller's rights."""
    version: str
    """Of modelsync."""
    acts: tuple[ActWords, ...]
    """What can be done to a ModelSync, in words."""


class Refusal(Value):
    """A namespace whose ModelSyncs the caller may not list."""

    namespace: str
    """Empty where it is all namespaces."""
    detail: str
    """What the API server said."""


class Connection(Value):
    """How the server stands to the API server."""

    state: str
    """live, away (figures are old), connecting or refused."""
    namespaces: tuple[str, ...] = ()
    """Those that are shown; all when empty."""
    refused: tuple[Refusal, ...] = ()
    """What is not shown, since the caller may not list it."""
    queues_seen: bool
    """Whether the caller may list SyncQueues."""
    since: str | None = None
    """Since when it is in this state."""


class Summary(Value):
    """All that the caller may list, as one."""

    whole: Whole
    completion: Completion
    connection: Connection


class Queues(Value):
    """All queues that the caller may list, or that the caller's ModelSyncs name."""

    items: tuple[Queue, ...]
    connection: Connection


class Network(Value):
    """What the workers that the caller may see carry, by their own reports. What other programs send and
    receive on a node is not in it."""

    nodes: tuple[Node, ...]
    speed: Speed | None = None
    """Payload of all workers."""
    network: Rate | None = None
    """What the network devices of all workers carry; absent where none says it."""
