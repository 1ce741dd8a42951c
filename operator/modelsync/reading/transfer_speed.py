"""When a reported speed is a present one: the one rule by which a row shows it and the record of the past
takes it in, so that a chart and the table beside it never disagree."""

from modelsync.api.reasons import Phase, Stage
from modelsync.reading import badges

OLD_FIGURES_SECONDS = 60
"""Figures of a running worker that are older say nothing of its present speed."""


def is_present(phase: str | None, reason: str | None, stage: str | None, age_seconds: int | None) -> bool:
    """Whether bytes come and the operator still reads of them. `reason` is that of the condition Ready; None
    as a stage or an age is an older operator's, which names none."""
    return (
        phase == Phase.DOWNLOADING
        and badges.of(phase, reason).active
        and stage in (None, Stage.DOWNLOADING)
        and not is_old(age_seconds)
    )


def is_old(age_seconds: int | None) -> bool:
    """Whether figures of this age are too old to be called present."""
    return age_seconds is not None and age_seconds > OLD_FIGURES_SECONDS
