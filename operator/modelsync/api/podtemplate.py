"""`spec.podTemplate`: the safe subset of a Pod's specification that a user may set.

Nothing here can name an image, a command, an environment variable, a volume or a service account: those
would turn a ModelSync into a way to run code with rights that its author may not have.
"""

from typing import Annotated, Any

from pydantic import Field

from modelsync.api.base import Value, cel, rules

_QUANTITY_MAP = {
    "additionalProperties": {
        "anyOf": [{"type": "integer"}, {"type": "string"}],
        "x-kubernetes-int-or-string": True,
        "maxLength": 24,
    },
    "maxProperties": 8,
    "x-kubernetes-validations": [
        cel(
            "self.all(k, k in ['cpu', 'memory', 'ephemeral-storage'])",
            "may set cpu, memory and ephemeral-storage only",
        )
    ],
}
_OPAQUE = {"x-kubernetes-preserve-unknown-fields": True}
Quantities = dict[str, int | str]


class Resources(Value):
    """Requests and limits of the worker's container."""

    requests: Annotated[Quantities | None, Field(json_schema_extra=_QUANTITY_MAP)] = None
    """Requested cpu, memory and ephemeral-storage; the operator's defaults when absent."""
    limits: Annotated[Quantities | None, Field(json_schema_extra=_QUANTITY_MAP)] = None
    """Limits of cpu, memory and ephemeral-storage; the operator's defaults when absent."""


class Toleration(Value):
    """A taint that the worker tolerates, as in a Pod."""

    key: Annotated[str | None, Field(max_length=316)] = None
    """Taint key; all keys when absent (operator must then be Exists)."""
    operator: Annotated[str | None, Field(json_schema_extra={"enum": ["Exists", "Equal"]})] = None
    """Exists or Equal (the default)."""
    value: Annotated[str | None, Field(max_length=63)] = None
    """Taint value for Equal."""
    effect: Annotated[
        str | None,
        Field(json_schema_extra={"enum": ["NoSchedule", "PreferNoSchedule", "NoExecute"]}),
    ] = None
    """NoSchedule, PreferNoSchedule or NoExecute; all when absent."""
    toleration_seconds: int | None = None
    """How long NoExecute is tolerated; for ever when absent."""


class LocalObjectReference(Value):
    """A name in the ModelSync's namespace."""

    name: Annotated[str, Field(min_length=1, max_length=253)]
    """Name of the object."""


class PodTemplate(Value):
    """Where the worker runs and with what resources; a safe subset of a Pod's specification."""

    resources: Resources = Resources()
    """Requests and limits of the worker's container."""
    node_selector: Annotated[
        dict[str, str] | None,
        Field(
            json_schema_extra={
                "maxProperties": 32,
                "additionalProperties": {"type": "string", "maxLength": 63},
            }
        ),
    ] = None
    """Labels that the worker's node must have."""
    tolerations: Annotated[
        tuple[Toleration, ...],
        Field(max_length=32, json_schema_extra={"x-kubernetes-list-type": "atomic"}),
    ] = ()
    """Taints that the worker tolerates."""
    affinity: Annotated[dict[str, Any] | None, Field(json_schema_extra={**_OPAQUE, "type": "object"})] = None
    """Affinity as in a Pod's specification."""
    image_pull_secrets: Annotated[
        tuple[LocalObjectReference, ...],
        Field(
            max_length=8,
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
            },
        ),
    ] = ()
    """Secrets in the ModelSync's namespace for pulling the worker's image."""
    priority_class_name: Annotated[
        str | None,
        Field(
            max_length=253,
            json_schema_extra=rules(
                cel(
                    "self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",
                    "must be the name of a PriorityClass",
                )
            ),
        ),
    ] = None
    """PriorityClass of the worker's Pod."""
