"""What the operator may do in the cluster: the whole list, with the reason of each right.

The chart's roles are checked against this table, and nothing is in it that no code uses. What is not in it is
the point: no Secret in any verb, no exec or log of Pods, no write to Pods, nodes, volumes, CRDs or roles.
A missing Secret or claim is seen in the worker's Pod, which the kubelet describes.
"""

from dataclasses import dataclass
from typing import Literal

from modelsync.runtime.cluster.resources import (
    EVENTS,
    JOBS,
    LEASES,
    PODS,
    QUEUES,
    SYNCS,
    TOKEN_REVIEWS,
    Resource,
)

Scope = Literal["watched", "operator", "cluster"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """One rule of a Role or ClusterRole."""

    api_group: str
    resource: str
    verbs: tuple[str, ...]
    scope: Scope
    """watched: all watched namespaces (a ClusterRole when all are); operator: the operator's own only;
    cluster: of no namespace."""
    why: str


def _rule(resource: Resource, *verbs: str, scope: Scope = "watched", sub: str = "", why: str) -> Permission:
    name = f"{resource.plural}/{sub}" if sub else resource.plural
    return Permission(api_group=resource.group, resource=name, verbs=verbs, scope=scope, why=why)


PERMISSIONS: tuple[Permission, ...] = (
    _rule(SYNCS, "get", "list", "watch", why="to know what is wanted; get after a conflict, and for a Job"),
    _rule(SYNCS, "patch", sub="status", why="to report the state"),
    _rule(
        JOBS,
        "get",
        "list",
        "watch",
        why="to know what runs; get to recognise a Job whose creation got no answer",
    ),
    _rule(JOBS, "create", "delete", why="to start and end attempts"),
    _rule(
        PODS, "get", "list", "watch", why="where a worker runs, why it cannot start, its termination report"
    ),
    _rule(EVENTS, "list", why="why a Job has no Pod or a Pod does not start (FailedCreate, FailedMount)"),
    _rule(EVENTS, "create", "patch", why="to report transitions of a ModelSync; patch counts a repetition"),
    _rule(QUEUES, "get", "list", "watch", scope="operator", why="the limits of each queue"),
    _rule(QUEUES, "patch", scope="operator", sub="status", why="to report how full a queue is"),
    _rule(LEASES, "get", "create", "update", scope="operator", why="to elect the one operator that acts"),
)

HISTORY_PERMISSIONS: tuple[Permission, ...] = (
    _rule(
        TOKEN_REVIEWS,
        "create",
        scope="cluster",
        why="with web.enabled only: to know the page's server, which asks for speeds of the past",
    ),
)
"""It reveals whose a token is to who has that token already."""

PROXY_PERMISSIONS: tuple[Permission, ...] = (
    _rule(
        PODS,
        "get",
        "update",
        sub="proxy",
        why="worker.progressVia: APIServerProxy only: progress and limits from outside",
    ),
)
"""Needed by an operator outside the cluster; never granted by the chart."""
