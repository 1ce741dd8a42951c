"""What a transfer takes from its environment: proxies, certification authorities, patience, a veto.

Beside `config` the only reader of os.environ; the worker gets these settings as values. They are the
variables that every program of the field honours, so they keep their own names.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from modelsync import errors, readers

_T = TypeVar("_T")


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
    downloads_disabled: bool = False
    """DISABLE_MODEL_DOWNLOADS."""


def spare_plugins() -> None:
    """Keep pydantic from looking through all installed packages for plugins, of which none is used: 40 ms of
    a start. To be called before pydantic is loaded."""
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


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
        downloads_disabled=_veto(variables.get("DISABLE_MODEL_DOWNLOADS", "")),
    )


def _veto(text: str) -> bool:
    """Whether a veto holds: anything but a clear no does, since a typing error must not start a download."""
    return text.strip().lower() not in ("", "0", "false", "no", "off")


@dataclass(frozen=True, slots=True, kw_only=True)
class PullEnvironment:
    """What `modelsync pull` takes from its environment; the names are those of the Hub's and AWS's own
    tools."""

    hub_endpoint: str | None = None
    """HF_ENDPOINT."""
    hub_token: str | None = field(default=None, repr=False)
    """HF_TOKEN."""
    s3_endpoint: str | None = None
    """AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL."""
    region: str | None = None
    """AWS_REGION or AWS_DEFAULT_REGION."""
    s3_keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    """AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, as far as they are set."""
    max_retries: int = 5
    """HF_DOWNLOAD_MAX_RETRIES: tries in a row of a request without a new byte."""
    timeout_seconds: float = 10.0
    """HF_HUB_DOWNLOAD_TIMEOUT: longest wait for a connection or for the next bytes."""


def pull_environment(environment: Mapping[str, str] | None = None) -> PullEnvironment:
    """The settings that os.environ, or the given mapping, holds; an empty variable counts as absent.

    Raises UsageError with the variable and the mend.
    """
    variables = os.environ if environment is None else environment
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    return PullEnvironment(
        hub_endpoint=variables.get("HF_ENDPOINT") or None,
        hub_token=variables.get("HF_TOKEN") or None,
        s3_endpoint=variables.get("AWS_ENDPOINT_URL_S3") or variables.get("AWS_ENDPOINT_URL") or None,
        region=variables.get("AWS_REGION") or variables.get("AWS_DEFAULT_REGION") or None,
        s3_keys={name: variables[name] for name in names if variables.get(name)},
        max_retries=_read(variables, "HF_DOWNLOAD_MAX_RETRIES", readers.whole(0, 1000, "a whole number"), 5),
        timeout_seconds=_read(
            variables, "HF_HUB_DOWNLOAD_TIMEOUT", readers.number(0.1, 3600, "a number of seconds"), 10.0
        ),
    )


def _read(variables: Mapping[str, str], name: str, read: Callable[[str], _T], default: _T) -> _T:
    text = variables.get(name)
    try:
        return read(text) if text else default
    except ValueError as error:
        raise errors.UsageError(f"{name}: {text!r} {error}") from None
