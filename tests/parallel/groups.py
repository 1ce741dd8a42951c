"""Which tests may run beside which, when pytest runs several processes (`-n`).

| group     | beside it run             | a test is in it because                   |
|-----------|---------------------------|-------------------------------------------|
| `timing`  | one without a cluster     | it is marked `timing`                     |
| `alone`   | tests without a cluster   | it is marked `alone` (and `e2e`)          |
| `cluster` | all but those two groups  | it is marked `e2e` and a cluster is there |
| `free`    | all                       | none of this is true, or marked `apart`   |

A test on the cluster that is marked `apart` has nothing to do with the release and asks the API server only;
all of these are one unit, since they share what they made there. Any other one shares the release, in a
namespace of its own, and in a queue of its own where it needs few slots or many. One that restarts, replaces
or removes the release or its definitions, or that takes so much of the operator that others would notice, is
marked `alone`. One that measures a speed or a share of the machine is marked `timing`.
"""

import os
from enum import StrEnum

import pytest


class Group(StrEnum):
    """The groups, in the order in which they begin."""

    TIMING = "timing"
    ALONE = "alone"
    CLUSTER = "cluster"
    FREE = "free"


running: Group | None = None
"""The group of the test that this process runs."""


def must_be_alone(act: str) -> None:
    """Fail the running test if what it is about to do would disturb those beside it."""
    if running is Group.CLUSTER:
        raise AssertionError(f"{act} disturbs the tests beside this one: mark it `alone`")


def of(item: pytest.Item) -> Group:
    """The group of a test."""
    if item.get_closest_marker("timing"):
        return Group.TIMING
    on_cluster = item.get_closest_marker("e2e") and not item.get_closest_marker("apart")
    if not on_cluster or "KUBECONFIG" not in os.environ:
        return Group.FREE
    return Group.ALONE if item.get_closest_marker("alone") else Group.CLUSTER


def unit(item: pytest.Item) -> str:
    """What runs in one process and in order: a module, a single test on the shared cluster, all `apart`, or
    all that want the same values of the release, so that these are installed once."""
    group = of(item)
    if item.get_closest_marker("apart"):
        return f"{group} apart"
    if values := item.get_closest_marker("values"):
        return f"{group} {values.args[0]}"
    return f"{group} {item.nodeid if group is Group.CLUSTER else item.path.as_posix()}"


def row(item: pytest.Item) -> tuple[Group, str, bool]:
    """What the scheduler has to know of a test: its group, its unit, and whether this begins before others.

    Those with values of their own do, one after another: each that came between others would have the release
    installed twice, for itself and for who follows.
    """
    early = any(item.get_closest_marker(name) for name in ("early", "values"))
    return of(item), unit(item), early
