"""Conditions as Kubernetes and kstatus read them.

`Ready` is always there; `Reconciling` and `Stalled` are abnormal-true and absent when false, which is what
kstatus (and so Helm, Flux, Argo CD and `kubectl wait`) expects.
"""

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from modelsync.api.common.base import Value
from modelsync.api.reasons import ConditionType

ConditionStatus = Literal["True", "False", "Unknown"]


class Condition(Value):
    """One aspect of the state, as in `metav1.Condition`."""

    type: Annotated[str, Field(max_length=63)]
    """Ready, Reconciling, Stalled or Progressing; of a SyncQueue Ready, and ConfigurationRefused while the
    operator refuses its configuration."""
    status: ConditionStatus
    """True, False or Unknown."""
    reason: Annotated[str, Field(max_length=63)]
    """One word of a closed vocabulary; see the reference of reasons."""
    message: Annotated[str, Field(max_length=1024)] = ""
    """A sentence for people, without changing numbers."""
    observed_generation: int | None = None
    """The metadata.generation that this condition was made for."""
    last_transition_time: AwareDatetime
    """When status last changed."""


def find(conditions: Iterable[Condition], kind: ConditionType) -> Condition | None:
    """The condition of a type, or None."""
    return next((c for c in conditions if c.type == kind), None)


def keep_times(wanted: Iterable[Condition], before: Iterable[Condition]) -> tuple[Condition, ...]:
    """The wanted conditions, with the transition times of those whose status did not change.

    Without this rule each planning would write a new time, and a status write would cause the next.
    """
    known = {c.type: c for c in before}

    def timed(new: Condition) -> Condition:
        old = known.get(new.type)
        if old is None or old.status != new.status:
            return new
        return new.replace(last_transition_time=old.last_transition_time)

    return tuple(timed(c) for c in sorted(wanted, key=lambda c: c.type))
