"""`spec.podTemplate.affinity`: Kubernetes' own types, with bounds.

A field that takes anything takes also what no Pod can have, nested without end or a megabyte long; it would
be refused when the Job is made, or not even rendered. What stands here is what a Pod's affinity has (core/v1,
meta/v1); what a user left out stays left out, since an empty selector is another thing than none. The bounds
are far above what schedulers are asked in practice; the sum is bounded by what an object may have at all.
"""

from typing import Annotated, Any

from pydantic import Field

from modelsync.api.common.base import Value
from modelsync.api.common.validations import cel, rules

_ATOMIC = {"x-kubernetes-list-type": "atomic"}
_MOST = 32
"""Terms, expressions and labels."""
_MOST_VALUES = 256

LabelKey = Annotated[str, Field(min_length=1, max_length=317)]
"""A prefix of 253, a slash and a name of 63 characters."""
LabelValue = Annotated[str, Field(max_length=63)]
Values = Annotated[tuple[LabelValue, ...], Field(max_length=_MOST_VALUES, json_schema_extra=_ATOMIC)]
NodeValues = Annotated[
    tuple[Annotated[str, Field(max_length=253)], ...],
    Field(max_length=_MOST_VALUES, json_schema_extra=_ATOMIC),
]
"""A node's name, which a field may be compared with, is longer than any label's value."""
Keys = Annotated[tuple[LabelKey, ...], Field(max_length=_MOST, json_schema_extra=_ATOMIC)]
Namespaces = Annotated[
    tuple[Annotated[str, Field(max_length=63)], ...],
    Field(max_length=_MOST_VALUES, json_schema_extra=_ATOMIC),
]
Weight = Annotated[int, Field(ge=1, le=100, json_schema_extra={"format": "int32"})]
_MATCH_LABELS: dict[str, Any] = {
    "maxProperties": _MOST,
    "additionalProperties": {"type": "string", "maxLength": 63},
}


def _with_operator(*operators: str) -> dict[str, Any]:
    """A requirement's operators, and what each one says about its values."""
    some = cel(
        "!(self.operator in ['In', 'NotIn']) || (has(self.values) && size(self.values) > 0)",
        "must have values with operator In or NotIn",
        field=".operator",
    )
    none = cel(
        "!(self.operator in ['Exists', 'DoesNotExist']) || !has(self.values) || size(self.values) == 0",
        "must have no values with operator Exists or DoesNotExist",
        field=".operator",
    )
    one = cel(
        "!(self.operator in ['Gt', 'Lt']) || (has(self.values) && size(self.values) == 1)",
        "must have one value, a whole number, with operator Gt or Lt",
        field=".operator",
    )
    return rules(some, none, *([one] if "Gt" in operators else []))


class NodeSelectorRequirement(Value):
    """What a label or field of a node must be."""

    model_config = Value.model_config | {
        "json_schema_extra": _with_operator("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")
    }

    key: LabelKey
    """Label or field of the node."""
    operator: Annotated[
        str, Field(json_schema_extra={"enum": ["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]})
    ]
    """In, NotIn, Exists, DoesNotExist, Gt or Lt."""
    values: NodeValues | None = None
    """What In and NotIn compare with; one whole number for Gt and Lt."""


Requirements = Annotated[
    tuple[NodeSelectorRequirement, ...], Field(max_length=_MOST, json_schema_extra=_ATOMIC)
]


class NodeSelectorTerm(Value):
    """Requirements that a node must meet all of."""

    match_expressions: Requirements | None = None
    """By the node's labels."""
    match_fields: Requirements | None = None
    """By the node's fields: metadata.name."""


class NodeSelector(Value):
    """Terms of which a node must meet one."""

    node_selector_terms: Annotated[
        tuple[NodeSelectorTerm, ...], Field(min_length=1, max_length=_MOST, json_schema_extra=_ATOMIC)
    ]
    """One of these must be met."""


class PreferredSchedulingTerm(Value):
    """A term that counts for a node."""

    weight: Weight
    """How much it counts, 1 to 100."""
    preference: NodeSelectorTerm
    """What the node should be."""


class NodeAffinity(Value):
    """On which nodes the worker may and should run."""

    required_during_scheduling_ignored_during_execution: NodeSelector | None = None
    """What the node must be."""
    preferred_during_scheduling_ignored_during_execution: (
        Annotated[tuple[PreferredSchedulingTerm, ...], Field(max_length=_MOST, json_schema_extra=_ATOMIC)]
        | None
    ) = None
    """What the node should be."""


class LabelSelectorRequirement(Value):
    """What a label of an object must be."""

    model_config = Value.model_config | {
        "json_schema_extra": _with_operator("In", "NotIn", "Exists", "DoesNotExist")
    }

    key: LabelKey
    """The label."""
    operator: Annotated[str, Field(json_schema_extra={"enum": ["In", "NotIn", "Exists", "DoesNotExist"]})]
    """In, NotIn, Exists or DoesNotExist."""
    values: Values | None = None
    """What In and NotIn compare with."""


class LabelSelector(Value):
    """Objects by their labels; an empty one selects all."""

    match_labels: Annotated[dict[str, str] | None, Field(json_schema_extra=_MATCH_LABELS)] = None
    """Labels that they have."""
    match_expressions: (
        Annotated[tuple[LabelSelectorRequirement, ...], Field(max_length=_MOST, json_schema_extra=_ATOMIC)]
        | None
    ) = None
    """Requirements that they meet."""


class PodAffinityTerm(Value):
    """Pods, and the kind of place in which they are."""

    label_selector: LabelSelector | None = None
    """The Pods; none when absent, all when empty."""
    namespaces: Namespaces | None = None
    """Where the Pods are: the ModelSync's own namespace when neither this nor namespaceSelector is set."""
    topology_key: LabelKey
    """Label of nodes that says what counts as one place, such as kubernetes.io/hostname."""
    namespace_selector: LabelSelector | None = None
    """Where the Pods are, by the namespaces' labels; all namespaces when empty."""
    match_label_keys: Keys | None = None
    """Labels whose values the Pods share with the worker."""
    mismatch_label_keys: Keys | None = None
    """Labels whose values the Pods do not share with the worker."""


class WeightedPodAffinityTerm(Value):
    """Pods that count for or against a place."""

    weight: Weight
    """How much they count, 1 to 100."""
    pod_affinity_term: PodAffinityTerm
    """The Pods."""


Terms = Annotated[tuple[PodAffinityTerm, ...], Field(max_length=_MOST, json_schema_extra=_ATOMIC)]
WeightedTerms = Annotated[
    tuple[WeightedPodAffinityTerm, ...], Field(max_length=_MOST, json_schema_extra=_ATOMIC)
]


class PodAffinity(Value):
    """Next to which Pods the worker must and should run."""

    required_during_scheduling_ignored_during_execution: Terms | None = None
    """Next to all of these."""
    preferred_during_scheduling_ignored_during_execution: WeightedTerms | None = None
    """Rather next to these."""


class PodAntiAffinity(Value):
    """Next to which Pods the worker must not and should not run."""

    required_during_scheduling_ignored_during_execution: Terms | None = None
    """Next to none of these."""
    preferred_during_scheduling_ignored_during_execution: WeightedTerms | None = None
    """Rather not next to these."""


class Affinity(Value):
    """Affinity as in a Pod's specification."""

    node_affinity: NodeAffinity | None = None
    """By nodes."""
    pod_affinity: PodAffinity | None = None
    """Next to Pods."""
    pod_anti_affinity: PodAntiAffinity | None = None
    """Away from Pods."""
