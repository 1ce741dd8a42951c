"""From a kubeconfig to a connection: the Kubernetes library loads it, and makes the connection pool.

Contexts, exec credential programs, certificates and proxies are its business, and each is a bug when done
again. Its client is not used beyond that: see docs/decisions.
"""

import logging
import urllib.parse
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
    """Headers."""

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
        namespace, user = _load(kubernetes.config, settings, options)
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
        impersonation=_impersonation(options, user),
    )


def contexts(kubeconfig: str | None) -> list[str]:
    """The contexts of a kubeconfig; none where it cannot be read."""
    import kubernetes.config

    try:
        found, _ = kubernetes.config.list_kube_config_contexts(kubeconfig)
    except Exception:  # whatever a broken kubeconfig makes the library raise
        return []
    return [str(each["name"]) for each in found]


def _load(config: Any, settings: Any, options: ConnectionOptions) -> tuple[str, Mapping[str, Any]]:
    """The context's namespace and its user, as the kubeconfig has them."""
    try:
        listed, active = config.list_kube_config_contexts(options.kubeconfig)
    except config.ConfigException:
        if options.kubeconfig or options.context:
            raise
        config.load_incluster_config(client_configuration=settings)
        return _own_namespace(), {}
    config.load_kube_config(options.kubeconfig, options.context, settings, persist_config=False)
    named = [each for each in listed if each["name"] == options.context] or [active]
    context: Mapping[str, Any] = named[0].get("context") or {}
    return str(context.get("namespace") or "default"), _user(config, options.kubeconfig, context.get("user"))


def _user(config: Any, kubeconfig: str | None, name: str | None) -> Mapping[str, Any]:
    """The entry of a user: the library takes the credentials from it and nothing else."""
    library = config.kube_config
    merged = library.KubeConfigMerger(kubeconfig or library.KUBE_CONFIG_DEFAULT_LOCATION).config
    users = merged.value.get("users") or ()
    found = (each.value.get("user") for each in users if each.value.get("name") == name)
    return next(found, None) or {}


def _own_namespace() -> str:
    try:
        with open("/var/run/secrets/kubernetes.io/serviceaccount/namespace", encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return "default"


def _impersonation(options: ConnectionOptions, user: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """As kubectl does: `as` of the kubeconfig's user, each part of which an option replaces."""
    name = options.as_user or user.get("as")
    groups = options.as_groups or tuple(user.get("as-groups") or ())
    extra, uid = user.get("as-user-extra") or {}, user.get("as-uid")
    if not name:
        if groups or extra or uid:
            raise problems.bad_configuration(
                "groups, a uid or extra fields are impersonated, and no user: set --as"
            )
        return ()
    found = [("Impersonate-User", str(name))] + [("Impersonate-Group", str(group)) for group in groups]
    found += [("Impersonate-Uid", str(uid))] if uid else []
    for key, values in extra.items():
        header = f"Impersonate-Extra-{urllib.parse.quote(str(key).lower(), safe='')}"
        found += [(header, str(value)) for value in values]
    return tuple(found)
