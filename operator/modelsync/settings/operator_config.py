"""The operator's configuration: flags, else `MODELSYNC_*` variables, else defaults; checked in one place.

One table makes the command's flags, the names of the variables, the parsing and the documentation, so they
cannot disagree. A bad value is told with the flag, the variable and the fix, before anything else happens.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelsync import documents, errors
from modelsync.api import naming, presets, protocol
from modelsync.api.source.transfer import Engine
from modelsync.api.worker_pod import pod_security, pod_template
from modelsync.settings import parsers

_NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One setting: a flag, a variable and how its text is read."""

    name: str
    """Field of OperatorConfig; flag and variable follow from it."""
    read: Callable[[str], Any]
    """Makes the value; raises ValueError with the fix."""
    default: str | None
    """Text of the default; None when it is worked out or needed."""
    help: str
    repeatable: bool = False
    common: tuple[str, ...] = ()
    """Names under which the field's own tools know it; they count where its own variable is not set."""
    hidden: bool = False
    """A wrong value is not shown, as it may hold a password."""

    @property
    def flag(self) -> str:
        """The flag, such as `--status-qps`."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """The variable, such as `MODELSYNC_STATUS_QPS`."""
        return f"MODELSYNC_{self.name.upper()}"

    @property
    def variables(self) -> tuple[str, ...]:
        """All variables that may hold it, the first that is set counts."""
        return (self.variable, *self.common)


_SECONDS = "a number of seconds"


OPTIONS: tuple[Option, ...] = (
    Option(
        name="namespace",
        read=parsers.namespaces,
        default="",
        repeatable=True,
        help="Namespace with ModelSyncs to act on; all when none is named.",
    ),
    Option(
        name="operator_namespace",
        read=parsers.namespace,
        default=None,
        help="Namespace of the lease and the SyncQueues; the Pod's own by default, else modelsync-system.",
    ),
    Option(name="kubeconfig", read=parsers.text, default=None, help="kubeconfig file, outside a cluster."),
    Option(name="context", read=parsers.text, default=None, help="Context of the kubeconfig."),
    Option(name="worker_image", read=parsers.text, default=None, help="Image of the workers; must be named."),
    Option(
        name="worker_image_pull_policy",
        read=parsers.one_of("Always", "IfNotPresent", "Never"),
        default="IfNotPresent",
        help="When nodes pull the worker's image.",
    ),
    Option(
        name="worker_resources",
        read=documents.resources,
        default=documents.RESOURCES,
        help="Requests and limits of workers whose ModelSync names none, as JSON.",
    ),
    Option(
        name="worker_max_resources",
        read=documents.most_resources,
        default=documents.MOST_RESOURCES,
        help="The most that a ModelSync may request or have as a limit, as JSON; {} bounds nothing.",
    ),
    Option(
        name="worker_priority_classes",
        read=parsers.object_names,
        default="",
        help="PriorityClasses, with commas between, that a ModelSync may name; none when empty.",
    ),
    Option(
        name="worker_service_accounts",
        read=parsers.object_names,
        default="",
        help="ServiceAccounts beside `default`, with commas between, that a ModelSync may name.",
    ),
    Option(
        name="worker_runtime_classes",
        read=parsers.object_names,
        default="",
        help="RuntimeClasses, with commas between, that a ModelSync may name; none when empty.",
    ),
    Option(
        name="worker_security_context",
        read=documents.security_context,
        default=documents.SECURITY_CONTEXT,
        help="As whom workers run whose ModelSync does not say, as JSON; a field that is left out is left to"
        " the namespace's admission.",
    ),
    Option(
        name="worker_ids",
        read=documents.ids,
        default="1-2147483647",
        help="Ranges of uids and gids, with commas between, that a ModelSync may name; never 0.",
    ),
    Option(
        name="worker_connections",
        read=parsers.whole(1, 64, "a whole number"),
        default="8",
        help="Most connections of a worker at once.",
    ),
    Option(
        name="worker_chunk",
        read=parsers.byte_count,
        default="8Mi",
        help="Bytes that a worker asks for at once.",
    ),
    Option(
        name="hub_endpoint",
        read=parsers.url,
        default="https://huggingface.co",
        help="Hub of ModelSyncs that name no endpoint.",
        common=("HF_ENDPOINT",),
    ),
    Option(
        name="disable_model_downloads",
        read=parsers.truth,
        default="false",
        help="Start no worker; those that run go on.",
        common=("DISABLE_MODEL_DOWNLOADS",),
    ),
    Option(
        name="worker_max_retries",
        read=parsers.whole(0, 1000, "a whole number"),
        default="5",
        help="How often a worker tries a request again in a row without a new byte.",
        common=("HF_DOWNLOAD_MAX_RETRIES",),
    ),
    Option(
        name="worker_timeout_seconds",
        read=parsers.number(0.1, 3600, "a number of seconds"),
        default="10",
        help="How long a worker waits for a connection or for the next bytes; further tries wait longer for"
        " an answer to begin, up to 5 minutes.",
        common=("HF_HUB_DOWNLOAD_TIMEOUT",),
    ),
    Option(
        name="worker_http_proxy",
        read=parsers.proxy,
        hidden=True,
        default=None,
        help="Proxy of workers for http:// origins.",
        common=("HTTP_PROXY", "http_proxy"),
    ),
    Option(
        name="worker_https_proxy",
        read=parsers.proxy,
        hidden=True,
        default=None,
        help="Proxy of workers for https:// origins.",
        common=("HTTPS_PROXY", "https_proxy"),
    ),
    Option(
        name="worker_no_proxy",
        read=parsers.text,
        default=None,
        help="Hosts that workers reach without a proxy, with commas between.",
        common=("NO_PROXY", "no_proxy"),
    ),
    Option(
        name="worker_log_level",
        read=parsers.one_of("debug", "info", "warning", "error"),
        default="info",
        help="Least level of the workers' log lines.",
    ),
    Option(
        name="worker_allowed_addresses",
        read=parsers.blocks,
        default="",
        help="CIDR blocks, with commas between, that workers may connect to besides the internet, such as the"
        " address of a mirror inside. Of all blocks that hold an address the narrowest decides, so that"
        " 10.0.0.0/8 allows private addresses and 0.0.0.0/0 nothing that is none of the internet.",
    ),
    Option(
        name="worker_denied_addresses",
        read=parsers.blocks,
        default="",
        help="CIDR blocks, with commas between, that workers may not connect to, of the internet or within"
        " what is allowed.",
    ),
    Option(
        name="worker_engines",
        read=parsers.some_of(*Engine),
        default=",".join(Engine),
        help="Engines that spec.engine may name, with commas between; a ModelSync with another one fails with"
        " InvalidSpec.",
    ),
    Option(
        name="presets",
        read=documents.known_presets,
        default="{}",
        help="Presets beside the built-in ones, as a JSON object of lists by name; one with a built-in's name"
        " replaces it.",
    ),
    Option(
        name="worker_ca_config_map",
        read=parsers.object_name,
        default=None,
        help="ConfigMap with the key ca.crt in each ModelSync's namespace; workers trust its certification"
        " authorities in place of the system's.",
    ),
    Option(
        name="progress_via",
        read=parsers.one_of("pod-ip", "proxy"),
        default="pod-ip",
        help="How workers are reached: by Pod IP, or through the API server's proxy from outside.",
    ),
    Option(
        name="status_qps",
        read=parsers.number(0.1, 1000, "a number"),
        default="20",
        help="Most status writes a second.",
    ),
    Option(
        name="resync_seconds",
        read=parsers.number(1, 86_400, _SECONDS),
        default="300",
        help="Interval of full lists, which find what watches missed.",
    ),
    Option(
        name="lease_duration",
        read=parsers.number(1, 3600, _SECONDS),
        default="15",
        help="How long the lease holds without renewal.",
    ),
    Option(
        name="renew_deadline",
        read=parsers.number(0.5, 3600, _SECONDS),
        default="10",
        help="How long renewal may fail before this operator stops; below --lease-duration.",
    ),
    Option(
        name="retry_period",
        read=parsers.number(0.1, 3600, _SECONDS),
        default="2",
        help="Interval of renewals; below --renew-deadline.",
    ),
    Option(
        name="retry_base_seconds",
        read=parsers.number(0.1, 3600, _SECONDS),
        default="10",
        help="Wait after the first failed attempt; doubled with each further one.",
    ),
    Option(
        name="start_deadline_seconds",
        read=parsers.number(1, 86_400, _SECONDS),
        default="60",
        help="How long a worker's Pod may take to start before the attempt counts as failed.",
    ),
    Option(
        name="log_format",
        read=parsers.one_of("text", "json"),
        default="text",
        help="text for people, json for programs.",
    ),
    Option(
        name="log_level",
        read=parsers.one_of("debug", "info", "warning", "error"),
        default="info",
        help="Least level of log lines.",
    ),
    Option(
        name="port",
        read=parsers.whole(0, 65_535, "a port"),
        default=str(naming.METRICS_PORT),
        help="Port of /metrics; 0 takes any free one.",
    ),
    Option(
        name="health_port",
        read=parsers.whole(0, 65_535, "a port"),
        default=str(naming.HEALTH_PORT),
        help="Port of /healthz and /readyz, which the kubelet asks; 0 takes any free one.",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorConfig:
    """The operator's settings, checked. Times are in seconds."""

    namespace: tuple[str, ...]
    operator_namespace: str
    kubeconfig: str | None
    context: str | None
    in_cluster: bool
    identity: str
    """Name of this process: the Pod's or the machine's."""
    worker_image: str
    worker_image_pull_policy: str
    worker_resources: pod_template.Resources
    worker_max_resources: Mapping[str, str]
    worker_priority_classes: tuple[str, ...]
    worker_service_accounts: tuple[str, ...]
    worker_runtime_classes: tuple[str, ...]
    worker_security_context: pod_security.PodSecurityContext
    worker_ids: tuple[tuple[int, int], ...]
    worker_connections: int
    worker_chunk: int
    hub_endpoint: str
    disable_model_downloads: bool
    worker_max_retries: int
    worker_timeout_seconds: float
    worker_http_proxy: str | None
    worker_https_proxy: str | None
    worker_no_proxy: str | None
    worker_log_level: str
    worker_engines: tuple[str, ...]
    worker_allowed_addresses: tuple[protocol.AddressBlock, ...]
    worker_denied_addresses: tuple[protocol.AddressBlock, ...]
    presets: Mapping[str, presets.Preset]
    worker_ca_config_map: str | None
    progress_via: str
    status_qps: float
    resync_seconds: float
    lease_duration: float
    renew_deadline: float
    retry_period: float
    retry_base_seconds: float
    start_deadline_seconds: float
    log_format: str
    log_level: str
    port: int
    health_port: int


def operator_config(
    flags: Mapping[str, str | tuple[str, ...] | None], environment: Mapping[str, str] = os.environ
) -> OperatorConfig:
    """The configuration from flags (None or empty: not given) and the environment; raises ConfigError."""
    values = {option.name: _value(option, flags.get(option.name), environment) for option in OPTIONS}
    in_cluster = (
        "KUBERNETES_SERVICE_HOST" in environment and not values["kubeconfig"] and not values["context"]
    )
    values["kubeconfig"] = values["kubeconfig"] or environment.get("KUBECONFIG") or None
    values["operator_namespace"] = values["operator_namespace"] or _own_namespace(in_cluster)
    identity = environment.get("HOSTNAME") or os.uname().nodename
    if values["worker_image"] is None:
        raise _error(
            "worker_image", "is needed; name the image that workers run, such as localhost/modelsync:dev"
        )
    config = OperatorConfig(**values, in_cluster=in_cluster, identity=identity)
    if not config.retry_period < config.renew_deadline < config.lease_duration:
        raise _error(
            "renew_deadline",
            "must be above --retry-period and below --lease-duration, such as 10 of 2 and 15",
        )
    return config


def _value(option: Option, flag: str | tuple[str, ...] | None, environment: Mapping[str, str]) -> Any:
    given = ",".join(flag) if isinstance(flag, tuple) else flag
    set_ones = (environment.get(name) for name in option.variables)
    text = given or next(filter(None, set_ones), None) or option.default
    if text is None:
        return None
    try:
        return option.read(text)
    except ValueError as error:
        raise _error(option.name, f"{'its value' if option.hidden else repr(text)} {error}") from error


def _error(name: str, told: str) -> errors.ConfigError:
    option = next(option for option in OPTIONS if option.name == name)
    return errors.ConfigError(f"{option.flag} ({' or '.join(option.variables)}): {told}")


def _own_namespace(in_cluster: bool) -> str:
    if in_cluster and _NAMESPACE_FILE.is_file():
        return _NAMESPACE_FILE.read_text().strip()
    return "modelsync-system"
