"""The options that all verbs share, as kubectl has them, and what they say."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from modelsync import errors
from modelsync.api.reasons import Phase
from modelsync.kubectl import tables
from modelsync.kubectl.problems import CommandError

F = TypeVar("F", bound=Callable[..., Any])
_SHELL_WAITS = "2s"
"""How long Tab asks the cluster where --request-timeout is not given."""
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """The cluster and namespace that the options name."""

    client: Any
    namespace: str
    everywhere: bool

    @property
    def scope(self) -> str | None:
        """The namespace to list; None for all."""
        return None if self.everywhere else self.namespace


def seconds(text: str, option: str) -> float:
    """A time such as `30s`, `10m`, `7d` or `90`; raises UsageError."""
    match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)([smhd]?)", text)
    if match is None:
        raise errors.UsageError(f"{option}: {text!r} must be a time such as 30s, 10m, 6h or 7d")
    return float(match[1]) * _UNITS[match[2]]


def now() -> datetime:
    """The present."""
    return datetime.now(UTC)


def _connected(values: dict[str, Any]) -> Cluster:
    from modelsync.kubectl.client import Client  # the library takes half of the time to the first table
    from modelsync.kubectl.connection import ConnectionOptions, connect

    options = ConnectionOptions(
        kubeconfig=values["kubeconfig"],
        context=values["context"],
        as_user=values["as_user"],
        as_groups=values["as_groups"],
    )
    limit = seconds(values["request_timeout"], "--request-timeout")
    client = Client(connect(options), limit or None)
    return Cluster(
        client=client,
        namespace=values["namespace"] or client.namespace,
        everywhere=bool(values.get("everywhere")),
    )


def _values(context: click.Context) -> dict[str, Any]:
    """The shared options so far, for a shell that waits."""
    values = {name: context.params.get(name) for name in _NAMES}
    given = context.get_parameter_source("request_timeout") is ParameterSource.COMMANDLINE
    limit = values["request_timeout"] if given else _SHELL_WAITS
    return values | {"as_groups": context.params.get("as_groups") or (), "request_timeout": limit}


def _candidates(context: click.Context, begun: str, path: Callable[[Cluster], str]) -> list[CompletionItem]:
    """Names of objects for the shell; none where the cluster cannot be asked."""
    try:
        cluster = _connected(_values(context))
        found = cluster.client.list(path(cluster), "objects")["items"]
    except (CommandError, errors.UsageError):
        return []
    return _beginning(begun, (str(one["metadata"]["name"]) for one in found))


def _beginning(begun: str, words: Iterable[str]) -> list[CompletionItem]:
    return [CompletionItem(word) for word in words if word.startswith(begun)]


def _complete(context: click.Context, _parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Names of ModelSyncs."""
    from modelsync.kubectl.client import syncs

    return _candidates(context, begun, lambda cluster: syncs(cluster.namespace))


def complete_queues(context: click.Context, _parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Names of SyncQueues."""
    from modelsync.kubectl.client import queues

    return _candidates(context, begun, lambda _: queues(None))


def complete_phases(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Words of `status.phase`."""
    return _beginning(begun, Phase)


def _complete_namespaces(
    context: click.Context, _parameter: click.Parameter, begun: str
) -> list[CompletionItem]:
    from modelsync.kubectl.client import core

    return _candidates(context, begun, lambda _: core("namespaces", None))


def _complete_contexts(
    context: click.Context, _parameter: click.Parameter, begun: str
) -> list[CompletionItem]:
    from modelsync.kubectl.connection import contexts

    return _beginning(begun, contexts(context.params.get("kubeconfig")))


_SHARED = (
    click.option(
        "-n",
        "--namespace",
        help="The namespace [default: that of the context].",
        shell_complete=_complete_namespaces,
    ),
    click.option("--context", help="The kubeconfig's context.", shell_complete=_complete_contexts),
    click.option(
        "--kubeconfig",
        type=click.Path(),
        help="Path of the kubeconfig [default: KUBECONFIG, or ~/.kube/config].",
    ),
    click.option("--as", "as_user", help="Act as this user, where you may."),
    click.option("--as-group", "as_groups", multiple=True, help="Act as a member of this group, too."),
    click.option("--request-timeout", default="30s", help="Longest wait for an answer; 0 is no limit."),
)
_NAMES = tuple(
    {"namespace": 1, "context": 1, "kubeconfig": 1, "as_user": 1, "as_groups": 1, "request_timeout": 1}
)


def on_cluster(function: F) -> F:
    """The shared options; the function gets a `Cluster` as its first argument."""

    def run(**values: Any) -> Any:
        shared = {name: values.pop(name) for name in _NAMES}
        return function(_connected({**shared, "everywhere": values.pop("everywhere", False)}), **values)

    run.__name__, run.__doc__ = function.__name__, function.__doc__
    run.__click_params__ = getattr(function, "__click_params__", [])  # type: ignore[attr-defined]
    found: Any = run
    for option in reversed(_SHARED):
        found = option(found)
    typed: F = found
    return typed


def everywhere(function: F) -> F:
    """The option -A."""
    option = click.option("-A", "--all-namespaces", "everywhere", is_flag=True, help="All namespaces.")
    return option(function)


def one_name(function: F) -> F:
    """The argument NAME."""
    return click.argument("name", shell_complete=_complete)(function)


def names(*, required: bool = True) -> Callable[[F], F]:
    """The arguments NAME..."""
    return click.argument(
        "names",
        nargs=-1,
        required=required,
        metavar="NAME..." if required else "[NAME]...",
        shell_complete=_complete,
    )


def selectors(function: F) -> F:
    """The options -l and --field-selector."""
    function = click.option("-l", "--selector", help="Labels, as of kubectl.")(function)
    return click.option("--field-selector", help="Fields, such as status.phase=Failed.")(function)


def say(text: str = "") -> None:
    """A line on standard output; colours only where a terminal shows them."""
    click.echo(text, color=tables.in_colour())


def warn(text: str) -> None:
    """A line on standard error."""
    click.echo(text, err=True, color=False)
