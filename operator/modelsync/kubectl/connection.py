"""From a kubeconfig to a connection: the Kubernetes library loads it, and makes the connection pool.

Contexts, exec credential programs, certificates and proxies are its business, and each is a bug when done
again. Its client is not used beyond that: see docs/decisions.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelsync.kubectl import problems


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionOptions:
    """What the user's options say about the cluster."""

    kubeconfig: str | None = None
    context: str | None = None
    as_user: str | None = None
    as_groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A pool of connections to an API server, and who asks."""

    host: str
    pool: Any
    settings: Any
    namespace: str
    """Of the context."""
    impersonation: tuple[tuple[str, str], ...] = ()

    def headers(self) -> dict[str, str]:
        """Who asks; a credential that has expired is renewed by the library."""
        found = {"User-Agent": "kubectl-modelsync", "Accept": "application/json"}
        for auth in self.settings.auth_settings().values():
            if auth["value"]:
                found[auth["key"]] = auth["value"]
        return found


class _Collector(logging.Handler):
    """The library logs the failure of a credential program, and goes on without credentials."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(record.getMessage())


def connect(options: ConnectionOptions) -> Connection:
    """A connection to the cluster of the kubeconfig, or of the Pod's service account; raises CommandError."""
    import kubernetes.client
    import kubernetes.client.rest
    import kubernetes.config

    settings = kubernetes.client.Configuration()
    collector, root = _Collector(), logging.getLogger()
    root.addHandler(collector)
    try:
        namespace = _load(kubernetes.config, settings, options)
        pool = kubernetes.client.rest.RESTClientObject(settings).pool_manager
    except (kubernetes.config.ConfigException, OSError, ValueError) as error:
        raise problems.bad_configuration(str(error)) from None
    except Exception as error:  # of whatever a broken kubeconfig makes the library raise
        raise problems.bad_configuration(f"{type(error).__name__}: {error}") from None
    finally:
        root.removeHandler(collector)
    if collector.found:
        raise problems.bad_credentials(collector.found[0])
    return Connection(
        host=settings.host.rstrip("/"),
        pool=pool,
        settings=settings,
        namespace=namespace,
        impersonation=_impersonation(options),
    )


def _load(config: Any, settings: Any, options: ConnectionOptions) -> str:
    try:
        contexts, active = config.list_kube_config_contexts(options.kubeconfig)
    except config.ConfigException:
        if options.kubeconfig or options.context:
            raise
        config.load_incluster_config(client_configuration=settings)
        return _own_namespace()
    config.load_kube_config(options.kubeconfig, options.context, settings, persist_config=False)
    named = [each for each in contexts if each["name"] == options.context] or [active]
    context: Mapping[str, Any] = named[0].get("context") or {}
    return str(context.get("namespace") or "default")


def _own_namespace() -> str:
    try:
        with open("/var/run/secrets/kubernetes.io/serviceaccount/namespace", encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return "default"


def _impersonation(options: ConnectionOptions) -> tuple[tuple[str, str], ...]:
    user = [("Impersonate-User", options.as_user)] if options.as_user else []
    return (*user, *(("Impersonate-Group", group) for group in options.as_groups))
