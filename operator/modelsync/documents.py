"""How the texts of settings that are JSON become values of the API.

As in `parsers`, each takes a text and returns the value, or raises ValueError with how to fix it.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

import pydantic
from pydantic.alias_generators import to_camel

from modelsync.api import presets
from modelsync.api.common import quantity, size_limits
from modelsync.api.worker_pod import pod_security, pod_template
from modelsync.settings import parsers

PRESETS = '{"my-family":{"allowPatterns":["*.bin"],"ignorePatterns":["old/*"]}}'
SECURITY_CONTEXT = (
    '{"runAsUser":65532,"runAsGroup":65532,"fsGroup":65532,"fsGroupChangePolicy":"OnRootMismatch"}'
)
RESOURCES = '{"requests":{"cpu":"100m","memory":"128Mi"},"limits":{"memory":"512Mi"}}'
MOST_RESOURCES = '{"cpu":"8","memory":"16Gi","ephemeral-storage":"16Gi"}'


def most_resources(text: str) -> Mapping[str, str]:
    """The most of each resource, as quantities."""
    try:
        found = {name: str(value) for name, value in json.loads(text).items()}
        for value in found.values():
            quantity.parse(value)
        unknown = found.keys() - {"cpu", "memory", "ephemeral-storage"}
        if unknown:
            raise ValueError(unknown)
        return found
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"must be quantities by resource as JSON, such as {MOST_RESOURCES}") from error


def resources(text: str) -> pod_template.Resources:
    """Requests and limits."""
    try:
        found = json.loads(text)
        unknown = set(found) - {"requests", "limits"}
        if unknown:
            raise ValueError(unknown)
        return pod_template.Resources.model_validate(found)
    except (ValueError, TypeError, pydantic.ValidationError) as error:
        raise ValueError(f"must be resources as JSON, such as {RESOURCES}") from error


def security_context(text: str) -> pod_security.PodSecurityContext:
    """As whom workers run."""
    try:
        found = {name: value for name, value in json.loads(text).items() if value is not None}
        made = pod_security.PodSecurityContext.model_validate(found)
        unknown = found.keys() - made.dump().keys()
        if unknown:
            raise ValueError(unknown)
        return made
    except (ValueError, TypeError, AttributeError, pydantic.ValidationError) as error:
        fields = "runAsUser, runAsGroup, fsGroup, fsGroupChangePolicy, supplementalGroups and seLinuxOptions"
        raise ValueError(
            f"must be some of {fields} as JSON, such as {SECURITY_CONTEXT}; ids are from 1 to 2147483647"
        ) from error


def ids(text: str) -> tuple[tuple[int, int], ...]:
    """Ranges of uids and gids, with commas between, as their first and last."""
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        match = re.fullmatch(r"([0-9]{1,10})(?:-([0-9]{1,10}))?", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= first <= last <= pod_security.MOST_ID:
            raise ValueError(
                "must be ids or ranges of them such as 1000,65532,1000660000-1000669999; never 0"
            )
        found.append((first, last))
    return tuple(found)


def known_presets(text: str) -> Mapping[str, presets.Preset]:
    """The built-in presets and the given ones, which win."""
    try:
        found = {name: _preset(fields) for name, fields in json.loads(text).items()}
    except (ValueError, TypeError, AttributeError, pydantic.ValidationError) as error:
        raise ValueError(f"must be presets as JSON, such as {PRESETS}") from error
    for name, preset in found.items():
        if not parsers.NAME.match(name):
            raise ValueError(f"names the preset {name!r}: must be lower case letters, digits and '-'")
        if len(preset.dump_json().encode()) > size_limits.MOST_PRESET:
            most = size_limits.MOST_PRESET
            raise ValueError(f"gives the preset {name} more than {most} bytes: use fewer or shorter patterns")
    return {**presets.BUILT_IN, **found}


def _preset(fields: Any) -> presets.Preset:
    unknown = set(fields) - {to_camel(name) for name in presets.Preset.model_fields}
    if unknown:
        raise ValueError(unknown)
    return presets.Preset.model_validate(fields)
