"""Affinities that users write, most of them as Kubernetes' documentation shows them, and ones no Pod has."""

from typing import Any

Affinity = dict[str, Any]
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_ZONE, _HOST = "topology.kubernetes.io/zone", "kubernetes.io/hostname"


def nodes(**term: Any) -> Affinity:
    """A required node affinity of one term."""
    return {"nodeAffinity": {_REQUIRED: {"nodeSelectorTerms": [term]}}}


def expression(key: str, operator: str, *values: str) -> dict[str, Any]:
    """A requirement."""
    return {"key": key, "operator": operator, **({"values": list(values)} if values else {})}


def apart(**term: Any) -> Affinity:
    """A required anti-affinity of one term."""
    return {"podAntiAffinity": {_REQUIRED: [{"topologyKey": _HOST, **term}]}}


S1 = {"matchExpressions": [expression("security", "In", "S1")]}
GOOD: dict[str, Affinity] = {
    "nodes in zones, rather with a label": {
        "nodeAffinity": {
            _REQUIRED: {
                "nodeSelectorTerms": [
                    {"matchExpressions": [expression(_ZONE, "In", "antarctica-east1", "antarctica-west1")]}
                ]
            },
            _PREFERRED: [
                {
                    "weight": 1,
                    "preference": {
                        "matchExpressions": [expression("another-node-label-key", "In", "a-value")]
                    },
                }
            ],
        }
    },
    "weights": {
        "nodeAffinity": {
            _REQUIRED: {"nodeSelectorTerms": [{"matchExpressions": [expression("os", "In", "linux")]}]},
            _PREFERRED: [
                {"weight": 1, "preference": {"matchExpressions": [expression("label-1", "In", "key-1")]}},
                {"weight": 50, "preference": {"matchExpressions": [expression("label-2", "In", "key-2")]}},
            ],
        }
    },
    "next to some Pods and rather not next to others": {
        "podAffinity": {_REQUIRED: [{"labelSelector": S1, "topologyKey": _ZONE}]},
        "podAntiAffinity": {
            _PREFERRED: [{"weight": 100, "podAffinityTerm": {"labelSelector": S1, "topologyKey": _ZONE}}]
        },
    },
    "Pods of the same revision": {
        "podAffinity": {
            _REQUIRED: [
                {
                    "labelSelector": {"matchExpressions": [expression("app", "In", "database")]},
                    "topologyKey": _ZONE,
                    "matchLabelKeys": ["pod-template-hash"],
                }
            ]
        }
    },
    "Pods of no other tenant": {
        "podAffinity": {
            _REQUIRED: [{"labelSelector": {}, "matchLabelKeys": ["tenant"], "topologyKey": "node-pool"}]
        },
        "podAntiAffinity": {
            _REQUIRED: [
                {
                    "mismatchLabelKeys": ["tenant"],
                    "labelSelector": {"matchExpressions": [expression("tenant", "Exists")]},
                    "topologyKey": "node-pool",
                }
            ]
        },
    },
    "one a node, as redis": apart(labelSelector={"matchExpressions": [expression("app", "In", "store")]}),
    "labels": apart(labelSelector={"matchLabels": {"app": "store", "example.org/empty": ""}}),
    "all Pods of all namespaces": apart(labelSelector={}, namespaceSelector={}),
    "named namespaces": apart(labelSelector={"matchLabels": {"a": "b"}}, namespaces=["one", "two"]),
    "no Pods": apart(),
    "a node by its name": nodes(matchFields=[expression("metadata.name", "In", "n" * 253)]),
    "numbers": nodes(matchExpressions=[expression("gpus", "Gt", "3"), expression("age", "Lt", "10")]),
    "none and any": nodes(matchExpressions=[expression("gpu", "Exists"), expression("spot", "DoesNotExist")]),
    "not in": nodes(matchExpressions=[expression("pool", "NotIn", "a", "b")]),
    "a term that nothing meets": nodes(),
    "a hundred nodes": nodes(matchExpressions=[expression(_HOST, "In", *(f"node-{n}" for n in range(100)))]),
    "empty kinds": {"nodeAffinity": {}, "podAffinity": {}, "podAntiAffinity": {}},
    "empty lists": {"podAffinity": {_REQUIRED: [], _PREFERRED: []}},
}
BAD: dict[str, tuple[Affinity, str]] = {
    "30,000 small objects": (
        nodes(matchExpressions=[expression("a", "Exists")] * 30_000),
        "must have at most 32 items",
    ),
    "as many terms": (
        {"nodeAffinity": {_REQUIRED: {"nodeSelectorTerms": [{}] * 33}}},
        "must have at most 32 items",
    ),
    "a long value": (nodes(matchExpressions=[expression("a", "In", "v" * 254)]), "may not be more than 253"),
    "many values": (nodes(matchExpressions=[expression("a", "In", *["v"] * 257)]), "at most 256 items"),
    "a list in place of a kind": ({"nodeAffinity": [[[]]]}, "must be of type object"),
    "an unknown operator": (nodes(matchExpressions=[expression("a", "Equals", "b")]), "Unsupported value"),
    "no values": (nodes(matchExpressions=[expression("a", "In")]), "must have values"),
    "values too many": (nodes(matchExpressions=[expression("a", "Exists", "b")]), "must have no values"),
    "two numbers": (nodes(matchExpressions=[expression("a", "Gt", "1", "2")]), "must have one value"),
    "no terms": ({"nodeAffinity": {_REQUIRED: {"nodeSelectorTerms": []}}}, "should have at least 1 items"),
    "no place": ({"podAffinity": {_REQUIRED: [{"labelSelector": {}}]}}, "topologyKey: Required value"),
    "a weight of 101": (
        {"nodeAffinity": {_PREFERRED: [{"weight": 101, "preference": {}}]}},
        "less than or equal to 100",
    ),
}
"""With words of the API server's answer."""
