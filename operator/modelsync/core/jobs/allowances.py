"""What a ModelSync may ask for its worker, by the operator's configuration.

Its author need not be one who may create Pods. A priority class would displace other people's Pods, and
requests without end would keep nodes from them; a service account brings what the cluster ties to it, and a
uid the files of the user who has it on a shared server. So all of these are what an administrator allows, as
the engines are. Nothing starts with more, and a worker that runs is left alone.
"""

from collections.abc import Iterator, Mapping

from modelsync.api.common import quantity
from modelsync.api.modelsync import ModelSyncSpec
from modelsync.core.cluster.snapshot import Settings

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
    for field, name, known, setting in (
        ("priorityClassName", template.priority_class_name, settings.priority_classes, "priorityClasses"),
        ("serviceAccountName", template.service_account_name, settings.service_accounts, "serviceAccounts"),
        ("runtimeClassName", template.runtime_class_name, settings.runtime_classes, "runtimeClasses"),
    ):
        if name and name not in known:
            fix = f"name one of {', '.join(known)}, or leave it out" if known else "leave it out"
            yield (
                f"spec.podTemplate.{field}: the operator does not allow {name!r} (its worker.{setting});"
                f" {fix}"
            )
    for field, ids in template.security_context.ids().items():
        for number in ids:
            if not any(first <= number <= last for first, last in settings.ids):
                allowed = ", ".join(f"{first}-{last}" for first, last in settings.ids)
                yield (
                    f"spec.podTemplate.securityContext.{field}: the operator does not allow {number} (its"
                    f" worker.ids); name one of {allowed}, or leave it out"
                )
    for kind in ("requests", "limits"):
        for resource, wished in (getattr(template.resources, kind) or {}).items():
            most = settings.most_resources.get(resource)
            if most is not None and _exceeds(wished, most):
                shown = str(wished)[:MOST_CHARACTERS]
                yield (
                    f"spec.podTemplate.resources.{kind}.{resource}: {shown} is more than the operator allows"
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
