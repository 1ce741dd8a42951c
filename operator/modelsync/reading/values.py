"""What people read of ModelSyncs and SyncQueues: one set of values for the plugin, the REST API and the page.

Machine values stand beside the text that shows them, so that no door writes a size or a time in its own way.
An absent field is unknown or does not apply; texts are for people and not for parsing. `dump()` gives JSON.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, Field

from modelsync.api.common.base import Value


class Colour(StrEnum):
    """What a state looks like; never the only sign of it, since a badge has a word and an icon too."""

    GREY = "grey"
    YELLOW = "yellow"
    BLUE = "blue"
    AMBER = "amber"
    GREEN = "green"
    RED = "red"
    BLACK = "black"


class Badge(Value):
    """A state in one word, one sign and one colour."""

    word: str
    """Queued, Downloading, Verifying, Complete, Failed, Cancelled, Paused, Stalled (no bytes come), Retrying
    (an attempt failed and another one follows), New (the operator has not seen it), or a phase that this
    version does not know."""
    icon: str
    """One character of the width of a letter."""
    colour: Colour
    active: bool = False
    """Whether something runs: such a badge may pulse."""


class Bytes(Value):
    """Bytes done of all."""

    done: int | None = None
    total: int | None = None
    """`0 <= done <= total`; of several syncs, the sum of those whose total is known."""
    percent: Annotated[float | None, Field(ge=0, le=100)] = None
    """With one decimal, rounded down: 100 only when all bytes are there."""
    estimated: bool = False
    """Whether the total rests on an estimate."""
    text: str | None = None
    """`1.8GB / 4.7GB`, `1.8GB / ~4.7GB` of an estimate, `1.8GB` of an unknown total."""
    percent_text: str | None = None
    """`38.2%`, `~38.2%` of an estimate."""


class Speed(Value):
    """How fast bytes come."""

    bytes_per_second: int
    text: str
    """`182MB/s`."""


class EtaState(StrEnum):
    """What is known of the time left."""

    CALCULATING = "calculating"
    """Bytes come, and the speed is not known yet."""
    KNOWN = "known"
    LONG = "long"
    """More than a day."""


class Eta(Value):
    """Time left of a download; absent where nothing comes, or where its end cannot be known."""

    state: EtaState
    seconds: int | None = None
    """Rounded up; absent while it is calculated."""
    text: str
    """`calculating`, `3m 20s` or `> 1 day`."""


class Files(Value):
    """Files done of all."""

    done: int | None = None
    total: int | None = None
    current: str | None = None
    """The file that is being fetched."""
    text: str | None = None
    """`4/30`."""


class Rate(Value):
    """Bytes per second of workers' network devices, down and up."""

    down: Speed
    up: Speed
    text: str
    """`↓ 45.2MB/s  ↑ 120KB/s`."""


class FileBar(Value):
    """One file that is being fetched."""

    path: str
    bytes: Bytes


class Place(Value):
    """Where a sync stands in its queue, and why it waits there."""

    position: int | None = None
    """1 for the next one; absent beyond the first 20."""
    reason: str
    """A word of the closed vocabulary of queue reasons."""
    text: str
    """`3rd in the queue default: all slots of the queue are taken`."""
    remedy: str | None = None
    since: AwareDatetime | None = None
    wait_seconds: int | None = None


class Attempt(Value):
    """Which attempt it is in a row without progress, of how many before the sync is Failed."""

    number: int
    most: int
    started: int
    """How many were started in all."""
    next_time: AwareDatetime | None = None
    """When the next one may start."""
    text: str
    """`attempt 2 of 6`."""


class Remedy(Value):
    """What a person can do about a state."""

    text: str
    """One or two sentences."""
    command: str | None = None
    """The command that does it, where one does."""


class Row(Value):
    """One ModelSync."""

    namespace: str
    name: str
    uid: str | None = None
    group: str | None = None
    """`spec.group`."""
    queue: str
    phase: str | None = None
    """As the status says it; absent while the operator has not seen the sync."""
    badge: Badge
    reason: str | None = None
    """Of the condition Ready, or of the last failure while an attempt follows it."""
    message: str | None = None
    """What happened, in a sentence."""
    remedy: Remedy | None = None
    """Absent where nothing need be done."""
    since: AwareDatetime | None = None
    """Since when it is in this state."""
    bytes: Bytes = Bytes()
    files: Files = Files()
    file_bars: tuple[FileBar, ...] = ()
    """Up to 8 of the files that are being fetched, the oldest first."""
    stage: str | None = None
    """What the worker is doing and how far it is: `Checking 12 of 40 files, 30.1GB of 100GB`."""
    speed: Speed | None = None
    network: Rate | None = None
    """What its worker's network devices carry, headers and retransmissions included, while bytes come."""
    eta: Eta | None = None
    place: Place | None = None
    attempt: Attempt | None = None
    """Absent before the first attempt and when it is complete."""
    bytes_network: int | None = None
    """Payload bytes that came over the network, over all attempts."""
    bytes_reused: int | None = None
    """Bytes that were on the volume before."""
    source: str
    """`hf://org/name@main`."""
    target: str
    """`pvc/models:llama`."""
    priority: int = 0
    bandwidth_limit: str | None = None
    engine: str | None = None
    revision: str | None = None
    """What the source's revision was resolved to."""
    node: str | None = None
    """Where the worker runs."""
    pod: str | None = None
    created: AwareDatetime | None = None
    age_seconds: int | None = None
    started: AwareDatetime | None = None
    completed: AwareDatetime | None = None
    duration_seconds: int | None = None
    """From the start of the first attempt to its end, or until now."""
    figures_time: AwareDatetime | None = None
    """While a worker runs: when its last figures were taken."""
    figures_age_seconds: int | None = None
    """While a worker runs: how old its last figures are; after more than a minute the operator gets
    none."""
    finished: bool = False
    """Whether it is Complete, Failed or Cancelled."""
    acts: tuple[str, ...] = ()
    """What makes sense now, of pause, resume, cancel, retry, priority and limit."""
    counted: str = "other"
    """Which of `Counts` it is part of."""
    attention: int = 0
    """Sorts rows, the least first: what needs somebody, then what runs, then what waits in its order."""
    hint: str | None = None
    """What to know of its figures: an engine that reports in steps stands still between them."""


class ActWords(Value):
    """An act in the words of every door."""

    act: str
    label: str
    """`Pause`."""
    done: str
    """`paused`."""
    command: str
    """The plugin's command, with the words NAMESPACE, NAME and, where the act takes one, VALUE in it."""


class Counts(Value):
    """ModelSyncs by what they do; the parts sum up to `total`."""

    total: int = 0
    active: int = 0
    """Downloading or Verifying, also stalled."""
    waiting: int = 0
    """Queued, new, or between two attempts."""
    paused: int = 0
    complete: int = 0
    failed: int = 0
    cancelled: int = 0
    other: int = 0
    """In a phase that this version does not know."""


class State(Value):
    """What several syncs are up to, in a colour and a word."""

    word: str
    """Idle, Active, Stalled, Retrying, Failed, Complete, Waiting or Paused."""
    colour: Colour


class Group(Value):
    """The ModelSyncs of one `spec.group`, or of a namespace where they have none."""

    name: str
    namespaces: tuple[str, ...]
    counts: Counts
    state: State
    bytes: Bytes
    speed: Speed | None = None
    eta: Eta | None = None
    rows: tuple[str, ...]
    """namespace/name of its rows, in the order of the rows."""


class Queue(Value):
    """One SyncQueue with the ModelSyncs that name it, or a queue that is named and not there."""

    name: str
    namespace: str | None = None
    exists: bool = True
    slots_used: int | None = None
    slots: int | None = None
    running: tuple[str, ...] = ()
    """namespace/name of up to three that run."""
    running_text: str | None = None
    """`team/a, team/b, team/c +2 more`."""
    counts: Counts = Counts()
    """As the queue's status counts them, which may hold syncs that the caller may not see; of the rows where
    the status does not say."""
    state: State
    """Grey: idle. Blue: active. Amber: stalled, waits for a retry, or admits nothing while some wait. Red:
    some failed. Green: all complete."""
    admits: bool = True
    message: str | None = None
    """Why it admits nothing."""
    oldest_wait_since: AwareDatetime | None = None
    oldest_wait_seconds: int | None = None


class Whole(Value):
    """All ModelSyncs that were read."""

    counts: Counts
    state: State
    bytes: Bytes
    speed: Speed | None = None
    """The sum of all downloads."""
    eta: Eta | None = None
    complete_text: str
    """`12 of 30 models`: those that are complete, of all that are not cancelled."""
    network: Rate | None = None
    """The sum of what the rows' workers carry; absent when unknown."""
    title: str
    """For a window: `(42%) modelsync`, `modelsync` when nothing is to be done."""


class Node(Value):
    """What the workers of one node do."""

    name: str
    syncs: int
    """ModelSyncs that are active there."""
    speed: Speed | None = None
    """Payload of all of them."""
    network: Rate | None = None
    """What the devices of all of them carry. Each worker has devices of its own, so nothing counts twice;
    other programs of the node are not in it."""


class Picture(Value):
    """Everything at one moment."""

    time: AwareDatetime
    rows: tuple[Row, ...]
    """In the order of attention: stalled and failed first, then active, waiting, paused, done."""
    groups: tuple[Group, ...]
    queues: tuple[Queue, ...]
    whole: Whole


class Failure(Value):
    """A ModelSync that failed, and why."""

    namespace: str
    name: str
    reason: str | None = None
    message: str | None = None


class Completion(Value):
    """What was brought: the sum of several ModelSyncs, whether or not all of them have ended."""

    complete_text: str
    """`12 of 30 models`."""
    network: Bytes
    """Payload bytes that came over the network."""
    reused: Bytes
    """Bytes that were on the volumes before."""
    duration_seconds: int | None = None
    """From the first start to the last end; absent until something has ended."""
    duration_text: str | None = None
    average: Speed | None = None
    """Bytes from the network over that time."""
    peak: Speed | None = None
    """The highest speed of all downloads together that was recorded in the last 24 hours, each value a mean
    of at least five seconds."""
    failures: tuple[Failure, ...] = ()
    """The first 50 that failed."""
    failed: int = 0
    """How many failed."""
    text: str
    """All of it, line by line, to be copied."""


class EventLine(Value):
    """One Event about a ModelSync."""

    time: AwareDatetime | None = None
    warning: bool = False
    reason: str
    message: str
    count: int = 1
    namespace: str | None = None
    name: str | None = None
    """Of the ModelSync."""
