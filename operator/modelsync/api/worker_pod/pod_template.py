"""`spec.podTemplate`: the safe subset of a Pod's specification that a user may set.

Nothing here can name an image, a command, an environment variable or a volume: those would turn a ModelSync
into a way to run code with rights that its author may not have. A service account, a runtime class and a
priority class are what the operator's configuration allows (`core.jobs.allowances`). Labels and annotations
are there to keep injectors (service meshes, secret agents) out of the Pod, and could do just that through
them: so their values are single words, which can hold no volume, command or registry, and their keys have
a domain, since Services and NetworkPolicies mostly select by keys without one or by `app.kubernetes.io`.
"""

from typing import Annotated, Any

from pydantic import Field

from modelsync.api.common.base import Value
from modelsync.api.common.validations import cel, rules
from modelsync.api.source.sources import DNS_SUBDOMAIN, SecretName
from modelsync.api.worker_pod.affinity import Affinity
from modelsync.api.worker_pod.pod_security import PodSecurityContext

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
        ),
        cel(
            "self.all(k, type(self[k]) == int ? self[k] >= 0 :"
            " isQuantity(self[k]) && !quantity(self[k]).isLessThan(quantity('0')))",
            "must hold quantities such as cpu: 500m and memory: 512Mi",
        ),
    ],
}
_WORDS = {
    "maxProperties": 16,
    "additionalProperties": {"type": "string", "maxLength": 63},
    **rules(
        cel(
            "self.all(k, !format.qualifiedName().validate(k).hasValue()"
            " && !format.labelValue().validate(self[k]).hasValue())",
            "must hold single words of at most 63 letters, digits, '-', '_' and '.',"
            ' such as sidecar.istio.io/inject: "false"',
        ),
        cel(
            "self.all(k, k.contains('/')"
            " && !k.matches('(^|[.])(modelsync[.]dev|kubernetes[.]io|k8s[.]io)/'))",
            "must have keys with a domain, such as sidecar.istio.io/inject; modelsync.dev, kubernetes.io and"
            " k8s.io are reserved",
        ),
        cel(
            "self.all(k, !k.matches('(?i)image'))",
            "must not choose an image: leave the key out; only the operator does that",
        ),
    ),
}
Quantities = dict[str, int | str]


class Resources(Value):
    """Requests and limits of the worker's container."""

    model_config = Value.model_config | {
        "json_schema_extra": rules(
            cel(
                "!has(self.requests) || !has(self.limits) || ['cpu', 'memory', 'ephemeral-storage'].all(k,"
                " !(k in self.requests) || !(k in self.limits) ||"
                " !isQuantity(string(self.requests[k])) || !isQuantity(string(self.limits[k])) ||"
                " !quantity(string(self.requests[k])).isGreaterThan(quantity(string(self.limits[k]))))",
                "must not request more than its limits",
            )
        )
    }

    requests: Annotated[Quantities | None, Field(json_schema_extra=_QUANTITY_MAP)] = None
    """Requested cpu, memory and ephemeral-storage; the operator's defaults when absent."""
    limits: Annotated[Quantities | None, Field(json_schema_extra=_QUANTITY_MAP)] = None
    """Limits of cpu, memory and ephemeral-storage; the operator's defaults when absent."""


class Toleration(Value):
    """A taint that the worker tolerates, as in a Pod."""

    model_config = Value.model_config | {
        "json_schema_extra": rules(
            cel(
                "(has(self.key) && self.key != '') || self.?operator.orValue('Equal') == 'Exists'",
                "must have a key, or operator: Exists to tolerate all taints",
            ),
            cel(
                "self.?operator.orValue('Equal') != 'Exists' || self.?value.orValue('') == ''",
                "must have no value with operator: Exists",
            ),
        )
    }

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
    toleration_seconds: Annotated[int | None, Field(json_schema_extra={"format": "int64"})] = None
    """How long NoExecute is tolerated; forever when absent."""


def _named(what: str) -> Any:
    """A name that may be empty, as templates write what is left out."""
    rule = cel(
        f"self == '' || {DNS_SUBDOMAIN}",
        f"must be the name of {what}: lower case letters, digits, '-' and '.'",
    )
    return Field(max_length=253, json_schema_extra=rules(rule))


class LocalObjectReference(Value):
    """A Secret in the ModelSync's namespace."""

    name: SecretName
    """Name of the Secret."""


class PodTemplate(Value):
    """Where the worker runs and with what resources; a safe subset of a Pod's specification."""

    labels: Annotated[dict[str, str] | None, Field(json_schema_extra=_WORDS)] = None
    """Further labels of the worker's Pod, to switch off what a service mesh or another injector would put
    into it: `sidecar.istio.io/inject: "false"`."""
    annotations: Annotated[dict[str, str] | None, Field(json_schema_extra=_WORDS)] = None
    """Further annotations of the worker's Pod, for injectors that read those:
    `linkerd.io/inject: disabled`."""
    resources: Resources = Resources()
    """Requests and limits of the worker's container, within what the operator's configuration allows."""
    node_selector: Annotated[
        dict[str, str] | None,
        Field(
            json_schema_extra={
                "maxProperties": 32,
                "additionalProperties": {"type": "string", "maxLength": 63},
                **rules(
                    cel(
                        "self.all(k, !format.qualifiedName().validate(k).hasValue()"
                        " && !format.labelValue().validate(self[k]).hasValue())",
                        "must hold labels of nodes, such as kubernetes.io/arch: amd64",
                    )
                ),
            }
        ),
    ] = None
    """Labels that the worker's node must have."""
    tolerations: Annotated[
        tuple[Toleration, ...],
        Field(max_length=32, json_schema_extra={"x-kubernetes-list-type": "atomic"}),
    ] = ()
    """Taints that the worker tolerates."""
    affinity: Affinity | None = None
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
    priority_class_name: Annotated[str | None, _named("a PriorityClass")] = None
    """PriorityClass of the worker's Pod: one that the operator's configuration allows, which is none by
    default. Empty is absent, here and in the next two fields."""
    service_account_name: Annotated[str | None, _named("a ServiceAccount in this namespace")] = None
    """ServiceAccount of the worker's Pod, for what a cluster ties to it (registries, security context
    constraints): one that the operator's configuration allows, which is `default` only. Its token is never
    mounted."""
    runtime_class_name: Annotated[str | None, _named("a RuntimeClass")] = None
    """RuntimeClass of the worker's Pod: one that the operator's configuration allows, which is none by
    default."""
    security_context: PodSecurityContext = PodSecurityContext()
    """As whom the worker runs and writes to the volume, within what the operator's configuration allows."""
