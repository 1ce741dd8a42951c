"""What a transfer takes from its environment: proxies, CA certificates, timeouts, and whether it
may start at all.

Beside `invocation` the only reader of os.environ; the worker gets these settings as values. They are the
variables that every program of the field honours, so they keep their own names.
"""

import os
import re
import ssl
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from modelsync import errors
from modelsync.settings import parsers

_T = TypeVar("_T")
_D = TypeVar("_D")
_PROXY = re.compile(r"(https?://)?([^/?#@\s]+@)?([^/?#@\s:]+|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?/?\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerEnvironment:
    """Settings of a transfer that come from the machine or the Pod it runs in."""

    proxies: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Proxy by scheme from HTTP_PROXY, HTTPS_PROXY and ALL_PROXY, and `no` from NO_PROXY. May hold
    a password."""
    ca_file: str | None = None
    """SSL_CERT_FILE: CA certificates in place of the system's."""
    log_level: str = "info"
    """MODELSYNC_LOG_LEVEL."""
    downloads_disabled: bool = False
    """DISABLE_MODEL_DOWNLOADS."""


def no_color(variables: Mapping[str, str] | None = None) -> bool:
    """Whether NO_COLOR is set, or the terminal knows no colours."""
    found = os.environ if variables is None else variables
    return bool(found.get("NO_COLOR")) or found.get("TERM") == "dumb"


def is_dumb() -> bool:
    """Whether the terminal says that it cannot move its cursor."""
    return os.environ.get("TERM", "dumb") in ("", "dumb", "unknown")


def need_utf8() -> None:
    """Begin again in Python's UTF-8 mode where the locale has another encoding (PEP 540).

    Names on a volume are UTF-8 wherever they were written, and a message never fails for a character. The
    mode cannot be changed in a process that runs, so the process is replaced by the same command.
    """
    if sys.getfilesystemencoding().lower() != "utf-8" and not sys.flags.utf8_mode:
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])


def spare_plugins() -> None:
    """Keep pydantic from looking through all installed packages for plugins, of which none is used: 40 ms of
    a start. To be called before pydantic is loaded."""
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


def checked(variables: Mapping[str, str] | None = None) -> None:
    """Check what a transfer would meet only after its first requests, or blame on something else.

    Raises UsageError with the variable and the remedy.
    """
    found = os.environ if variables is None else variables
    bundle = found.get("SSL_CERT_FILE")
    if bundle:
        try:
            ssl.create_default_context(cafile=bundle)
        except OSError as error:  # of which ssl.SSLError is one
            cause = "no certificate in it" if isinstance(error, ssl.SSLError) else error.strerror
            raise errors.UsageError(
                f"SSL_CERT_FILE: {bundle!r} holds no CA certificates in PEM ({cause}); name a file"
                " that does, or unset it"
            ) from None
    for scheme in ("http", "https"):
        names = (f"{scheme}_proxy", f"{scheme.upper()}_PROXY", "all_proxy", "ALL_PROXY")
        name = next((name for name in names if found.get(name)), None)
        if name is not None:
            _check_proxy(name, found[name])


def _check_proxy(name: str, value: str) -> None:
    """Raise UsageError where a variable cannot be a proxy; its value may hold a password and is not shown."""
    if not _PROXY.match(value):
        raise errors.UsageError(
            f"{name}: must be the address of an HTTP proxy such as http://proxy.example.org:3128, or be unset"
        )


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
    """Whether downloads are disabled: anything but a clear no disables them, since a typing error must not
    start a download."""
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
    s3_profile: str | None = None
    """AWS_PROFILE, which is not read: files of profiles are AWS's own tools'."""
    max_retries: int = 5
    """HF_DOWNLOAD_MAX_RETRIES: tries in a row of a request without a new byte."""
    timeout_seconds: float = 10.0
    """HF_HUB_DOWNLOAD_TIMEOUT: longest wait for a connection or for the next bytes."""


def pull_environment(environment: Mapping[str, str] | None = None) -> PullEnvironment:
    """The settings that os.environ, or the given mapping, holds; an empty variable counts as absent.

    Raises UsageError with the variable and the fix.
    """
    variables = os.environ if environment is None else environment
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    return PullEnvironment(
        hub_endpoint=_read(variables, "HF_ENDPOINT", parsers.url, None),
        hub_token=variables.get("HF_TOKEN", "").strip() or None,
        s3_endpoint=_read(variables, "AWS_ENDPOINT_URL_S3", parsers.url, None)
        or _read(variables, "AWS_ENDPOINT_URL", parsers.url, None),
        region=variables.get("AWS_REGION") or variables.get("AWS_DEFAULT_REGION") or None,
        s3_keys={name: value for name in names if (value := variables.get(name, "").strip())},
        s3_profile=variables.get("AWS_PROFILE") or None,
        max_retries=_read(variables, "HF_DOWNLOAD_MAX_RETRIES", parsers.whole(0, 1000, "a whole number"), 5),
        timeout_seconds=_read(
            variables, "HF_HUB_DOWNLOAD_TIMEOUT", parsers.number(0.1, 3600, "a number of seconds"), 10.0
        ),
    )


def _read(variables: Mapping[str, str], name: str, read: Callable[[str], _T], default: _D) -> _T | _D:
    text = variables.get(name)
    try:
        return read(text) if text else default
    except ValueError as error:
        raise errors.UsageError(f"{name}: {text!r} {error}") from None
