"""Documents of the configuration for tests."""

from collections.abc import Mapping
from typing import Any

import yaml

from modelsync.settings import config_file, configuration

Document = dict[str, Any]
NOTHING: Mapping[str, Any] = {}


def document(fields: Mapping[str, Any] = NOTHING) -> Document:
    """A document that is accepted, with some fields set by their path (`log.level`)."""
    made: Document = {
        "apiVersion": configuration.API_VERSION,
        "kind": configuration.KIND,
        "worker": {"image": "localhost/modelsync:dev"},
    }
    for path, value in fields.items():
        *parents, name = path.split(".")
        place = made
        for parent in parents:
            place = place.setdefault(parent, {})
        place[name] = value
    return made


def written(fields: Mapping[str, Any] = NOTHING) -> bytes:
    """The same as a file holds it."""
    return yaml.safe_dump(document(fields)).encode()


def configured(fields: Mapping[str, Any] = NOTHING) -> configuration.Configuration:
    """The same, read."""
    return config_file.parse(written(fields), "config.yaml")
