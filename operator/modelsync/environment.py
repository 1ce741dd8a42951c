"""What a transfer takes from its environment: proxies and certification authorities.

Beside `config` the only reader of os.environ; the worker gets these settings as values. They are the
variables that every program of the field honours, so they keep their own names.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerEnvironment:
    """Settings of a transfer that come from the machine or the Pod it runs in."""

    proxies: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Proxy by scheme from HTTP_PROXY, HTTPS_PROXY and ALL_PROXY, and `no` from NO_PROXY. May hold
    a password."""
    ca_file: str | None = None
    """SSL_CERT_FILE: certification authorities in place of the system's."""
    log_level: str = "info"
    """MODELSYNC_LOG_LEVEL."""


def worker_environment(environment: Mapping[str, str] | None = None) -> WorkerEnvironment:
    """The settings that os.environ, or the given mapping, holds."""
    variables = os.environ if environment is None else environment
    proxies = {
        scheme: value
        for scheme in ("http", "https", "all", "no")
        if (value := variables.get(f"{scheme}_proxy") or variables.get(f"{scheme.upper()}_PROXY"))
    }
    return WorkerEnvironment(
        proxies=proxies,
        ca_file=variables.get("SSL_CERT_FILE") or None,
        log_level=variables.get("MODELSYNC_LOG_LEVEL", "info").lower(),
    )
