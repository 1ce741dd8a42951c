"""What the operator's command line and its Pod say: which cluster and namespaces, and where the configuration
is.

All else is in the configuration's document (`configuration`), for which there is no flag and no variable. The
log is the exception: a person who starts the operator by hand wants to read it, so those two flags win over
the document.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from modelsync import errors
from modelsync.settings import moved, parsers, unused_variables
from modelsync.settings.configuration import Configuration

_NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """How this process was started."""

    config: Path
    """File with the configuration's document."""
    namespaces: tuple[str, ...] = ()
    """Namespaces with ModelSyncs to act on; all when empty."""
    operator_namespace: str = "modelsync-system"
    """Namespace of the lease and the SyncQueues."""
    kubeconfig: str | None = None
    context: str | None = None
    in_cluster: bool = False
    identity: str
    """Name of this process: the Pod's or the machine's."""
    log_level: str | None = None
    log_format: str | None = None
    """What was said for the log, over the document."""

    def over(self, document: Configuration) -> Configuration:
        """A configuration with what was said here in place of what its document says."""
        said = {"level": self.log_level, "format": self.log_format}
        log = document.log.model_copy(update={name: value for name, value in said.items() if value})
        return document.model_copy(update={"log": log})


def read(
    *,
    config: str | None,
    namespaces: Sequence[str] = (),
    operator_namespace: str | None = None,
    kubeconfig: str | None = None,
    context: str | None = None,
    log_level: str | None = None,
    log_format: str | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Invocation:
    """The invocation by flags (None or empty: not given) and Pod; raises ConfigError with the flag and the
    fix."""
    moved.refuse_variables(environment)
    if not config:
        raise errors.ConfigError(
            "--config: is needed; name the file with the OperatorConfiguration (docs/reference/operator.md)"
        )
    in_cluster = "KUBERNETES_SERVICE_HOST" in environment and not kubeconfig and not context
    return Invocation(
        config=Path(config),
        namespaces=tuple(dict.fromkeys(_namespace("--namespace", each) for each in namespaces)),
        operator_namespace=_namespace(
            "--operator-namespace", operator_namespace or _own_namespace(in_cluster)
        ),
        kubeconfig=kubeconfig or environment.get("KUBECONFIG") or None,
        context=context or None,
        in_cluster=in_cluster,
        identity=environment.get("HOSTNAME") or os.uname().nodename,
        log_level=log_level,
        log_format=log_format,
    )


def warnings(document: Configuration, environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """What the environment seems to set and does not (see `unused_variables`)."""
    return unused_variables.warnings(environment, document)


def _namespace(flag: str, text: str) -> str:
    try:
        return parsers.namespace(text)
    except ValueError as error:
        raise errors.ConfigError(f"{flag}: {text!r} {error}") from None


def _own_namespace(in_cluster: bool) -> str:
    if in_cluster and _NAMESPACE_FILE.is_file():
        return _NAMESPACE_FILE.read_text().strip()
    return "modelsync-system"
