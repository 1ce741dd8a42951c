"""The operator's configuration: flags, else `MODELSYNC_*` variables, else defaults; checked in one place.

One table makes the command's flags, the names of the variables, the parsing and the documentation, so they
cannot disagree. A bad value is told with the flag, the variable and the mend, before anything else happens.
"""

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydantic

from modelsync import errors
from modelsync.api import naming, podtemplate, presets, quantity

_NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z")
_PRESETS = '{"my-family":{"allowPatterns":["*.bin"],"ignorePatterns":["old/*"]}}'
_RESOURCES = '{"requests":{"cpu":"100m","memory":"128Mi"},"limits":{"memory":"512Mi"}}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One setting: a flag, a variable and how its text is read."""

    name: str
    """Field of OperatorConfig; flag and variable follow from it."""
    read: Callable[[str], Any]
    """Makes the value; raises ValueError with the mend."""
    default: str | None
    """Text of the default; None when it is worked out or needed."""
    help: str
    repeatable: bool = False

    @property
    def flag(self) -> str:
        """The flag, such as `--status-qps`."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """The variable, such as `MODELSYNC_STATUS_QPS`."""
        return f"MODELSYNC_{self.name.upper()}"


def _number(low: float, high: float, what: str) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            raise ValueError(f"must be {what} from {low:g} to {high:g}")
        return value

    return read


def _whole(low: int, high: int, what: str) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.strip().isdecimal() or not low <= int(text) <= high:
            raise ValueError(f"must be {what} from {low} to {high}")
        return int(text)

    return read


def _one_of(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"must be one of {', '.join(words)}")
        return text

    return read


def _text(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    return text.strip()


def _namespace(text: str) -> str:
    if not _NAME.match(text):
        raise ValueError("must be the name of a namespace: lower case letters, digits and '-'")
    return text


def _object_name(text: str) -> str:
    if len(text) > 253 or not re.match(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?\Z", text):
        raise ValueError("must be the name of an object: lower case letters, digits, '-' and '.'")
    return text


def _namespaces(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_namespace(part.strip()) for part in text.split(",") if part.strip()))


def _url(text: str) -> str:
    if not re.match(r"https?://[^/?#@\s]+(/[^?#@\s]*)?\Z", text):
        raise ValueError(
            "must be a base URL such as https://hub.example.org, without user, query or fragment"
        )
    return text.rstrip("/")


def _chunk(text: str) -> int:
    try:
        value = quantity.parse_bytes(text)
    except ValueError:
        value = 0
    if not 64 * 1024 <= value <= 2**30:
        raise ValueError("must be a quantity of bytes from 64Ki to 1Gi, such as 8Mi")
    return value


def _resources(text: str) -> podtemplate.Resources:
    try:
        found = json.loads(text)
        unknown = set(found) - {"requests", "limits"}
        if unknown:
            raise ValueError(unknown)
        return podtemplate.Resources.model_validate(found)
    except (ValueError, TypeError, pydantic.ValidationError) as error:
        raise ValueError(f"must be resources as JSON, such as {_RESOURCES}") from error


def _presets(text: str) -> Mapping[str, presets.Preset]:
    """The built-in presets and the given ones, which win."""
    try:
        found = {name: _preset(fields) for name, fields in json.loads(text).items()}
    except (ValueError, TypeError, AttributeError, pydantic.ValidationError) as error:
        raise ValueError(f"must be presets as JSON, such as {_PRESETS}") from error
    for name in found:
        if not _NAME.match(name):
            raise ValueError(f"names the preset {name!r}: must be lower case letters, digits and '-'")
    return {**presets.BUILT_IN, **found}


def _preset(fields: Any) -> presets.Preset:
    unknown = set(fields) - {"allowPatterns", "ignorePatterns"}
    if unknown:
        raise ValueError(unknown)
    return presets.Preset.model_validate(fields)


_SECONDS = "a number of seconds"

OPTIONS: tuple[Option, ...] = (
    Option(
        name="namespace",
        read=_namespaces,
        default="",
        repeatable=True,
        help="Namespace with ModelSyncs to act on; all when none is named.",
    ),
    Option(
        name="operator_namespace",
        read=_namespace,
        default=None,
        help="Namespace of the lease and the SyncQueues; the Pod's own by default, else modelsync-system.",
    ),
    Option(name="kubeconfig", read=_text, default=None, help="kubeconfig file, outside a cluster."),
    Option(name="context", read=_text, default=None, help="Context of the kubeconfig."),
    Option(name="worker_image", read=_text, default=None, help="Image of the workers; must be named."),
    Option(
        name="worker_image_pull_policy",
        read=_one_of("Always", "IfNotPresent", "Never"),
        default="IfNotPresent",
        help="When nodes pull the worker's image.",
    ),
    Option(
        name="worker_resources",
        read=_resources,
        default=_RESOURCES,
        help="Requests and limits of workers whose ModelSync names none, as JSON.",
    ),
    Option(
        name="worker_connections",
        read=_whole(1, 64, "a whole number"),
        default="8",
        help="Most connections of a worker at once.",
    ),
    Option(name="worker_chunk", read=_chunk, default="8Mi", help="Bytes that a worker asks for at once."),
    Option(
        name="hub_endpoint",
        read=_url,
        default="https://huggingface.co",
        help="Hub of ModelSyncs that name no endpoint.",
    ),
    Option(
        name="presets",
        read=_presets,
        default="{}",
        help="Presets beside the built-in ones, as a JSON object of lists by name; one with a built-in's name"
        " replaces it.",
    ),
    Option(
        name="worker_ca_config_map",
        read=_object_name,
        default=None,
        help="ConfigMap with the key ca.crt in each ModelSync's namespace; workers trust its certification"
        " authorities in place of the system's.",
    ),
    Option(
        name="progress_via",
        read=_one_of("pod-ip", "proxy"),
        default="pod-ip",
        help="How workers are reached: by Pod IP, or through the API server's proxy from outside.",
    ),
    Option(
        name="status_qps",
        read=_number(0.1, 1000, "a number"),
        default="20",
        help="Most status writes a second.",
    ),
    Option(
        name="resync_seconds",
        read=_number(1, 86_400, _SECONDS),
        default="300",
        help="Interval of full lists, which find what watches missed.",
    ),
    Option(
        name="lease_duration",
        read=_number(1, 3600, _SECONDS),
        default="15",
        help="How long the lease holds without renewal.",
    ),
    Option(
        name="renew_deadline",
        read=_number(0.5, 3600, _SECONDS),
        default="10",
        help="How long renewal may fail before this operator stops; below --lease-duration.",
    ),
    Option(
        name="retry_period",
        read=_number(0.1, 3600, _SECONDS),
        default="2",
        help="Interval of renewals; below --renew-deadline.",
    ),
    Option(
        name="retry_base_seconds",
        read=_number(0.1, 3600, _SECONDS),
        default="10",
        help="Wait after the first failed attempt; doubled with each further one.",
    ),
    Option(
        name="start_deadline_seconds",
        read=_number(1, 86_400, _SECONDS),
        default="60",
        help="How long a worker's Pod may take to start before the attempt counts as failed.",
    ),
    Option(
        name="log_format",
        read=_one_of("text", "json"),
        default="text",
        help="text for people, json for programs.",
    ),
    Option(
        name="log_level",
        read=_one_of("debug", "info", "warning", "error"),
        default="info",
        help="Least level of log lines.",
    ),
    Option(
        name="port",
        read=_whole(0, 65_535, "a port"),
        default=str(naming.OPERATOR_PORT),
        help="Port of /healthz, /readyz and /metrics; 0 takes any free one.",
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
    worker_resources: podtemplate.Resources
    worker_connections: int
    worker_chunk: int
    hub_endpoint: str
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
    text = given or environment.get(option.variable) or option.default
    if text is None:
        return None
    try:
        return option.read(text)
    except ValueError as error:
        raise _error(option.name, f"{text!r} {error}") from error


def _error(name: str, told: str) -> errors.ConfigError:
    option = next(option for option in OPTIONS if option.name == name)
    return errors.ConfigError(f"{option.flag} ({option.variable}): {told}")


def _own_namespace(in_cluster: bool) -> str:
    if in_cluster and _NAMESPACE_FILE.is_file():
        return _NAMESPACE_FILE.read_text().strip()
    return "modelsync-system"
