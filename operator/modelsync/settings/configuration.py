"""The operator's configuration: the one description of what can be set, its defaults and its bounds.

From it come the reader of the document (`config_file`), the JSON schema, the chart's value `config` with its
schema and the reference page. So a new setting is a field here and its reader, and nothing else. Field
names are those that a document has, in snake case; docstrings are the documentation.

What `RESTART` marks is read at the start only: a change of it needs a restart, which the chart makes. All
else acts while the operator runs.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo

from modelsync.api import naming, presets
from modelsync.api.common import size_limits
from modelsync.api.common.field_docs import Documented
from modelsync.api.source.transfer import Engine
from modelsync.api.worker_pod import pod_security
from modelsync.settings import field_types, parsers
from modelsync.settings.field_types import Block, default

API_VERSION, KIND = "config.modelsync.dev/v1alpha1", "OperatorConfiguration"
RESTART = object()
"""Marks a field that is read at the start only."""
Level = Literal["debug", "info", "warning", "error"]


class Section(Documented):
    """Fields of one concern; unknown ones are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, alias_generator=to_camel)


class Log(Section):
    """The operator's own log."""

    level: Level = "info"
    """Least level of lines. `--log-level` wins over it."""
    format: Annotated[Literal["text", "json"], RESTART] = "json"
    """text for people, json for programs. `--log-format` wins over it."""


class Limits(Section):
    """What the API server gets from the operator."""

    status_writes_per_second: Annotated[float, field_types.number(0.1, 1000)] = default(20)
    """Most status writes a second."""


class LeaderElection(Section):
    """The lease by which one of several operators acts."""

    lease_duration: Annotated[float, field_types.duration("1s", "1h"), RESTART] = default("15s")
    """How long the lease holds without renewal."""
    renew_deadline: Annotated[float, field_types.duration("500ms", "1h"), RESTART] = default("10s")
    """How long renewal may fail before this operator stops; below leaseDuration."""
    retry_period: Annotated[float, field_types.duration("100ms", "1h"), RESTART] = default("2s")
    """Time between renewals; below renewDeadline."""


class Metrics(Section):
    """Where Prometheus asks."""

    port: Annotated[int, field_types.whole(0, 65_535), RESTART] = default(naming.METRICS_PORT)
    """Port of /metrics; 0 takes any free one."""


class Health(Section):
    """Where the kubelet asks."""

    port: Annotated[int, field_types.whole(0, 65_535), RESTART] = default(naming.HEALTH_PORT)
    """Port of /healthz and /readyz; 0 takes any free one."""


class History(Section):
    """Speeds of the past, kept by the operator that acts and served on port 8083."""

    reader: Annotated[str | None, field_types.service_account(), RESTART] = default("")
    """Who may read them: the ServiceAccount of `modelsync web`, as system:serviceaccount:NAMESPACE:NAME. None
    are kept when empty; the chart fills it in with `web.enabled` and `web.history`."""


class Hub(Section):
    """The Hugging Face Hub."""

    endpoint: Annotated[str, field_types.url()] = default("https://huggingface.co")
    """Hub of ModelSyncs that name no endpoint."""


class Attempts(Section):
    """When attempts start."""

    disabled: bool = False
    """Start none: what waits says DownloadsDisabled, and what runs goes on."""
    retry_base: Annotated[float, field_types.duration("100ms", "1h")] = default("10s")
    """Wait after the first failed attempt; doubled with each further one."""
    start_deadline: Annotated[float, field_types.duration("1s", "24h")] = default("1m")
    """How long a worker's Pod may take to start before the attempt counts as failed."""


class Preset(presets.Preset, extra="forbid", strict=True, validate_by_name=False):
    """Lists of patterns that spec.preset adds to a ModelSync's own."""


class Proxy(Section):
    """How workers reach origins."""

    http: Annotated[str | None, field_types.proxy()] = default("")
    """Proxy of workers for http:// origins, without a password."""
    https: Annotated[str | None, field_types.proxy()] = default("")
    """Proxy of workers for https:// origins, without a password."""
    no_proxy: Annotated[tuple[str, ...], field_types.hosts()] = default([])
    """Hosts that workers reach without a proxy, such as .svc or 10.0.0.0/8."""


class Addresses(Section):
    """Which addresses workers may connect to."""

    allowed: Annotated[tuple[Block, ...], field_types.blocks()] = default([])
    """CIDR blocks that workers may connect to besides the internet: the addresses of Hub mirrors and S3
    servers inside. Name single addresses (10.96.40.7/32) where you can: whatever listens within a block can
    be downloaded by anyone who may create ModelSyncs. Of all blocks that hold an address the narrowest
    decides; 0.0.0.0/0 allows nothing inside."""
    denied: Annotated[tuple[Block, ...], field_types.blocks()] = default([])
    """CIDR blocks that workers may not connect to, of the internet or within what is allowed."""


class Resources(Section):
    """Requests and limits of workers whose ModelSync names none."""

    requests: Annotated[Mapping[str, str], field_types.quantities()] = default(
        {"cpu": "100m", "memory": "128Mi"}
    )
    """What a node must have free."""
    limits: Annotated[Mapping[str, str], field_types.quantities()] = default({"memory": "512Mi"})
    """What a worker may take."""


class SELinuxOptions(pod_security.SELinuxOptions, extra="forbid", strict=True, validate_by_name=False):
    """The SELinux label of workers."""

    type: Literal["", "container_t", "container_init_t", "container_kvm_t"] | None = None
    """SELinux type: container_t, container_init_t or container_kvm_t."""


class SecurityContext(pod_security.PodSecurityContext, extra="forbid", strict=True, validate_by_name=False):
    """As whom workers run whose ModelSync does not say (spec.podTemplate.securityContext). What is left out
    is left to the namespace's admission, as OpenShift's restricted-v2 wants it."""

    fs_group_change_policy: Literal["OnRootMismatch", "Always"] | None = None
    """OnRootMismatch gives the volume to fsGroup only if its root is not yet so; Always at each mount."""
    se_linux_options: SELinuxOptions | None = Field(default=None, alias="seLinuxOptions")
    """The SELinux label of the worker's container."""


_ANYBODY = SecurityContext.model_validate(
    {"runAsUser": 65532, "runAsGroup": 65532, "fsGroup": 65532, "fsGroupChangePolicy": "OnRootMismatch"}
)


class Worker(Section):
    """What workers get, and what ModelSyncs may ask for them. It holds for attempts that start from then
    on."""

    image: Annotated[str, field_types.image(), RESTART] = ""
    """Image of the workers, of the operator's version; must be named."""
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    """When nodes pull the image of the workers."""
    progress_via: Annotated[Literal["PodIP", "APIServerProxy"], RESTART] = "PodIP"
    """How the operator reaches workers: by Pod IP, or through the API server's proxy from outside."""
    log_level: Level = "info"
    """Least level of the workers' log lines."""
    engines: Annotated[tuple[str, ...], field_types.some_of(*Engine)] = default(
        [str(each) for each in Engine]
    )
    """What spec.engine may be; a ModelSync with another engine fails with InvalidSpec. HFTransfer and
    HuggingFaceHub run libraries of others in processes of their own."""
    ca_config_map: Annotated[str | None, field_types.object_name()] = default("")
    """ConfigMap with the key ca.crt, in each namespace with ModelSyncs, whose CA certificates
    workers trust in place of the system's."""
    proxy: Proxy = Proxy()
    addresses: Addresses = Addresses()
    connections: Annotated[int, field_types.whole(1, 64)] = default(8)
    """Most connections of a worker at once."""
    chunk: Annotated[int, field_types.byte_count("64Ki", "1Gi")] = default("8Mi")
    """Bytes that a connection fetches between two entries of the journal."""
    max_retries: Annotated[int, field_types.whole(0, 1000)] = default(5)
    """How often a worker tries a request again in a row without a new byte."""
    timeout: Annotated[float, field_types.duration("100ms", "1h")] = default("10s")
    """How long a worker waits for a connection or for the next bytes. An answer that has not begun by then is
    waited for longer with each further try, up to 5 minutes."""
    resources: Resources = Resources()
    max_resources: Annotated[Mapping[str, str], field_types.quantities()] = default(
        {"cpu": "8", "memory": "16Gi", "ephemeral-storage": "16Gi"}
    )
    """The most that spec.podTemplate.resources of a ModelSync may request or have as a limit, by resource;
    what is not named is not bounded. A ModelSync that asks for more is Failed, and says so."""
    priority_classes: Annotated[tuple[str, ...], field_types.object_names()] = default([])
    """PriorityClasses that a ModelSync may name in spec.podTemplate.priorityClassName; none when empty."""
    service_accounts: Annotated[tuple[str, ...], field_types.object_names()] = default([])
    """ServiceAccounts beside `default` that a ModelSync may name in spec.podTemplate.serviceAccountName. Its
    token is never mounted, but what the cluster ties to it (registries, security context constraints) is the
    worker's."""
    runtime_classes: Annotated[tuple[str, ...], field_types.object_names()] = default([])
    """RuntimeClasses that a ModelSync may name in spec.podTemplate.runtimeClassName; none when empty."""
    security_context: SecurityContext = _ANYBODY
    ids: Annotated[tuple[tuple[int, int], ...], field_types.ids()] = default([f"1-{pod_security.MOST_ID}"])
    """Ranges of uids and gids that a ModelSync may name in spec.podTemplate.securityContext. Authors of
    ModelSyncs read and write what these ids may on the claims that they name. Never 0."""


def _fitting(given: Mapping[str, Preset]) -> Mapping[str, Preset]:
    for name, preset in given.items():
        if not parsers.NAME.match(name):
            raise ValueError(f"names the preset {name!r}: use lower case letters, digits and '-'")
        if len(preset.dump_json().encode()) > size_limits.MOST_PRESET:
            most = size_limits.MOST_PRESET
            raise ValueError(f"gives the preset {name} more than {most} bytes: use fewer or shorter patterns")
    return given


class Configuration(Section):
    """How the operator works, whichever namespaces it watches."""

    log: Log = Log()
    limits: Limits = Limits()
    resync_interval: Annotated[float, field_types.duration("1s", "24h"), RESTART] = default("5m")
    """Time between full lists, which find what watches missed."""
    leader_election: LeaderElection = LeaderElection()
    metrics: Metrics = Metrics()
    health: Health = Health()
    history: History = History()
    hub: Hub = Hub()
    attempts: Attempts = Attempts()
    presets: Annotated[
        Mapping[str, Preset],
        AfterValidator(_fitting),
        Field(json_schema_extra={"propertyNames": {"pattern": "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"}}),
    ] = Field(default_factory=dict)
    """Presets for spec.preset beside the built-in ones (docs/reference/presets.md); one with a built-in's
    name replaces it."""
    worker: Worker = Worker()

    @model_validator(mode="after")
    def _together(self) -> Self:
        times = self.leader_election
        if not times.retry_period < times.renew_deadline < times.lease_duration:
            raise ValueError(
                "leaderElection.renewDeadline: must be above retryPeriod and below leaseDuration, such as 10s"
                " of 2s and 15s"
            )
        if self.metrics.port == self.health.port != 0:
            raise ValueError("health.port: must not be that of metrics.port")
        if not self.worker.image:
            raise ValueError(f"worker.image: {field_types.IMAGE_RULE}")
        return self


def fields(section: type[BaseModel] = Configuration) -> Iterator[tuple[str, FieldInfo]]:
    """Every field that holds a value, with its path in a document, such as `log.level`."""
    for name, info in section.model_fields.items():
        path = info.alias or name
        inside = section_of(info)
        if inside is None:
            yield path, info
        else:
            yield from ((f"{path}.{inner}", found) for inner, found in fields(inside))


def section_of(info: FieldInfo) -> type[Section] | None:
    """The section that a field is; None where it holds a value, which is set as a whole."""
    found = info.annotation
    return found if isinstance(found, type) and issubclass(found, Section) else None


def needs_restart(info: FieldInfo) -> bool:
    """Whether a change of this field acts from the next start on only."""
    return any(mark is RESTART for mark in info.metadata)


def value_at(configuration: Configuration, path: str) -> Any:
    """The value of a field by its path."""
    found: Any = configuration
    for word in path.split("."):
        names = {info.alias or name: name for name, info in type(found).model_fields.items()}
        found = getattr(found, names[word])
    return found


def changes(running: Configuration, wanted: Configuration) -> tuple[list[str], list[str]]:
    """Paths of the fields that differ: those that act at once, and those that need a restart."""
    differing = [(path, info) for path, info in fields() if value_at(running, path) != value_at(wanted, path)]
    live = [path for path, info in differing if not needs_restart(info)]
    return live, [path for path, info in differing if needs_restart(info)]


_S = TypeVar("_S", bound=Section)


def without_restart(running: _S, wanted: _S) -> _S:
    """What is wanted, but for the fields that need a restart: those are as they run."""
    kept: dict[str, Any] = {}
    for name, info in type(wanted).model_fields.items():
        if section_of(info) is not None:
            kept[name] = without_restart(getattr(running, name), getattr(wanted, name))
        elif needs_restart(info):
            kept[name] = getattr(running, name)
    return wanted.model_copy(update=kept)
