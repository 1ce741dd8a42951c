"""What a ModelSync may ask for its worker, by the operator's configuration.

Its author need not be one who may create Pods. A priority class would displace other people's Pods, and
requests without end would keep nodes from them, so both are what an administrator allows, as the engines are.
Nothing starts with more, and a worker that runs is left alone.
"""

from collections.abc import Iterator, Mapping

from modelsync.api import quantity
from modelsync.api.modelsync import ModelSyncSpec
from modelsync.core.snapshot import Settings

MOST_CHARACTERS = 64
"""Of a quantity: Kubernetes reads any number of zeros, which would have to be kept to be compared."""


def refusal(spec: ModelSyncSpec, settings: Settings) -> str | None:
    """Why a worker with this spec may not start: the field, and how to fix it. None when it may."""
    return next(_refusals(spec, settings), None)


def _refusals(spec: ModelSyncSpec, settings: Settings) -> Iterator[str]:
    if spec.engine not in settings.engines:
        yield (
            f"spec.engine: {spec.engine} is not allowed by the operator's configuration; set it to"
            f" {' or '.join(settings.engines)}, or have the administrator add it to worker.engines."
        )
    template = spec.pod_template
    name, known = template.priority_class_name, settings.priority_classes
    if name is not None and name not in known:
        mend = f"name one of {', '.join(known)}, or leave it out" if known else "leave it out"
        yield (
            f"spec.podTemplate.priorityClassName: the operator does not allow {name!r} (its"
            f" worker.priorityClasses); {mend}"
        )
    for kind in ("requests", "limits"):
        for resource, wished in (getattr(template.resources, kind) or {}).items():
            most = settings.most_resources.get(resource)
            if most is not None and _exceeds(wished, most):
                told = str(wished)[:MOST_CHARACTERS]
                yield (
                    f"spec.podTemplate.resources.{kind}.{resource}: {told} is more than the operator allows"
                    f" (its worker.maxResources); lower it to at most {most}"
                )


def bounded(
    limits: Mapping[str, int | str], named: set[str], most: Mapping[str, str]
) -> dict[str, int | str]:
    """Limits, with the most that is allowed for what a ModelSync requests without one: none is too much."""
    return {**{name: most[name] for name in named & most.keys()}, **limits}


def _exceeds(wished: int | str, most: str) -> bool:
    """Whether a quantity is more than another; what is none is refused by the API server, with the Job."""
    text = str(wished)
    try:
        return len(text) > MOST_CHARACTERS or quantity.parse(text) > quantity.parse(most)
    except ValueError:
        return False
