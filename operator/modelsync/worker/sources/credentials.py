"""The credentials of a source: read when they are needed, never shown.

A Secret is mounted as a directory with a file a key, and the kubelet renews the files when the Secret
changes; so each use looks whether it did, and a fixed token works without a new Pod. A value is wrapped,
because tokens reach logs by way of a repr more often than by intent.
"""

import base64
import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from modelsync.api.reasons import Reason
from modelsync.worker.common.failures import Failure

ACCESS_KEY, SECRET_KEY, SESSION_TOKEN = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"
TOKEN, USERNAME, PASSWORD = "token", "username", "password"


@dataclass(frozen=True, slots=True)
class Hidden:
    """A value that does not show itself."""

    _value: str = field(repr=False)

    def reveal(self) -> str:
        """The value itself, for the one header or signature that needs it."""
        return self._value

    def __str__(self) -> str:
        return "***"


class Credentials(Protocol):
    """Where a source's credentials are, and how messages name them."""

    @property
    def where(self) -> str:
        """Their place in a user's words, such as `the Secret hub-token
        (spec.source.huggingFace.secretRef)`."""

    @property
    def given(self) -> bool:
        """Whether the user named any."""

    def read(self) -> Mapping[str, Hidden]:
        """All keys and values as they are now; raises Failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretDirectory:
    """A mounted Secret."""

    path: Path
    name: str
    field_path: str
    """The field that names the Secret, such as `spec.source.s3.secretRef`."""
    given: bool = True
    _read: dict[str, Mapping[str, Hidden]] = field(default_factory=dict, repr=False, compare=False)
    """What was read, by the version of the Secret."""

    @property
    def where(self) -> str:
        """The Secret's name and the field that names it."""
        return f"the Secret {self.name} ({self.field_path})"

    def read(self) -> Mapping[str, Hidden]:
        """The values of all keys' files; SecretNotFound when nothing is mounted.

        The kubelet renews a Secret by pointing the link `..data` to another directory, so while that stays,
        thousands of small files need not read it thousands of times.
        """
        version = _target(self.path / "..data")
        known = self._read.get(version)
        if known is not None:
            return known
        try:
            values = self._values()
        except OSError as error:
            why = error.strerror or "not readable"
            text = (
                f"The worker cannot read {self.where}: {why}. Create the Secret in the ModelSync's namespace."
            )
            raise Failure(Reason.SECRET_NOT_FOUND, text) from None
        if version:
            self._read[version] = values
        return values

    def _values(self) -> Mapping[str, Hidden]:
        files = [file for file in sorted(self.path.iterdir()) if not file.name.startswith("..")]
        return {file.name: Hidden(_text(self, file)) for file in files if file.is_file()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """Credentials that were handed over as values: those of a command line."""

    where: str
    values: Mapping[str, Hidden] = field(default_factory=dict)

    @property
    def given(self) -> bool:
        """Whether there are any."""
        return bool(self.values)

    def read(self) -> Mapping[str, Hidden]:
        """The values."""
        return self.values


def _target(link: Path) -> str:
    """What a link points to; empty when it is none."""
    try:
        return os.readlink(link)
    except OSError:
        return ""


def text(data: bytes) -> str:
    """A credential as people store one: text in UTF-8, with or without a mark of that and a line end.

    Raises ValueError for anything else.
    """
    return data.decode("utf-8-sig").strip()


def _text(credentials: Credentials, file: Path) -> str:
    with contextlib.suppress(ValueError):
        return text(file.read_bytes())
    message = (
        f"The key {file.name!r} in {credentials.where} is not text. Store the plain value, encoded only once."
    )
    raise Failure(Reason.AUTHENTICATION_FAILED, message)


def bearer(credentials: Credentials, key: str) -> Hidden | None:
    """The token under a key; None when the source has no credentials. Raises Failure."""
    if not credentials.given:
        return None
    return _value(credentials, credentials.read(), key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """What signs requests to S3."""

    access_key: Hidden
    secret_key: Hidden
    session_token: Hidden | None


def s3_keys(credentials: Credentials) -> Keys | None:
    """The keys of an S3 account; None when requests are to be unsigned. Raises Failure."""
    if not credentials.given:
        return None
    values = credentials.read()
    return Keys(
        access_key=_value(credentials, values, ACCESS_KEY),
        secret_key=_value(credentials, values, SECRET_KEY),
        session_token=_value(credentials, values, SESSION_TOKEN) if SESSION_TOKEN in values else None,
    )


def authorization(credentials: Credentials) -> Hidden | None:
    """The Authorization header for a web server: Bearer when there is a token, else Basic. Raises Failure."""
    if not credentials.given:
        return None
    values = credentials.read()
    if TOKEN in values or USERNAME not in values:
        return Hidden(f"Bearer {_value(credentials, values, TOKEN).reveal()}")
    user, password = (_value(credentials, values, key).reveal() for key in (USERNAME, PASSWORD))
    return Hidden("Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii"))


def _value(credentials: Credentials, values: Mapping[str, Hidden], key: str) -> Hidden:
    found = values.get(key)
    if found is None:
        text = f"There is no key {key!r} in {credentials.where}. Add it."
        raise Failure(Reason.SECRET_NOT_FOUND, text)
    value = found.reveal()
    if not value or not value.isascii() or not value.isprintable():
        text = f"The key {key!r} in {credentials.where} is empty or holds characters that no credential has."
        raise Failure(Reason.AUTHENTICATION_FAILED, f"{text} Store the plain value, encoded only once.")
    return found
