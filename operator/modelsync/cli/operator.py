"""`modelsync operator`: runs the operator, in a Pod or on a laptop against a kubeconfig.

What it does is in the configuration's document; flags say which cluster and namespaces, where the document
is, and what of the log. The process ends within seconds whatever happens: 0 after SIGTERM, 1 when the lease
was lost, 2 for a wrong flag or configuration.
"""

import asyncio
import logging
import os
import signal
import sys
import threading
from typing import Any, get_args

import click

import modelsync
from modelsync import errors
from modelsync.runtime import app
from modelsync.runtime.cluster import api_client
from modelsync.runtime.telemetry import log_setup, metrics
from modelsync.settings import config_file, invocation, moved
from modelsync.settings.configuration import Configuration, Level

_log = logging.getLogger(__name__)
_PATIENCE = 9.0
"""Seconds after SIGTERM when the process ends even if something hangs; below a Pod's usual grace."""


class _Command(click.Command):
    """Says of a former flag where its setting is now."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            path = moved.of_flag(error.option_name)
            if path is None:
                raise
            raise errors.UsageError(
                f"{error.option_name}: is no flag any more; set {path} in the file that --config names"
            ) from None


@click.command("operator", cls=_Command)
@click.option("--config", metavar="FILE", help="File with the OperatorConfiguration; needed.")
@click.option(
    "--namespace",
    "namespaces",
    metavar="NAME",
    multiple=True,
    help="Namespace with ModelSyncs to act on; may be repeated. All when none is named.",
)
@click.option(
    "--operator-namespace",
    metavar="NAME",
    help="Namespace of the lease and the SyncQueues; the Pod's own by default, else modelsync-system.",
)
@click.option("--kubeconfig", metavar="FILE", help="kubeconfig file, outside a cluster; else KUBECONFIG.")
@click.option("--context", metavar="NAME", help="Context of the kubeconfig.")
@click.option("--log-level", type=click.Choice(get_args(Level)), help="Over log.level of the configuration.")
@click.option(
    "--log-format", type=click.Choice(["text", "json"]), help="Over log.format of the configuration."
)
def command(**flags: Any) -> None:
    """Run the operator: watch ModelSyncs, start workers, report their progress."""
    started = invocation.read(**flags)
    configuration = started.over(config_file.read(started.config))
    log_setup.configure(configuration.log.format, configuration.log.level)
    for warning in invocation.warnings(configuration):
        _log.warning("%s", warning)
    code = asyncio.run(_run(started, configuration))
    logging.shutdown()
    sys.stdout.flush()
    # All is in order by now. What threads of the libraries still do must not meet an interpreter that takes
    # itself apart: a process that ended well was then seen to end by SIGSEGV.
    os._exit(code)


async def _run(started: invocation.Invocation, configuration: Configuration) -> int:
    measuring = metrics.Metrics()
    api = await api_client.connect(
        in_cluster=started.in_cluster,
        kubeconfig=started.kubeconfig,
        context=started.context,
        observer=measuring.observe_request,
        agent=f"modelsync/{modelsync.__version__}",
    )
    try:
        return await app.Operator(started, configuration, api, measuring).run(_stop_on_signals())
    finally:
        await api.close()
        _end_after(3.0, 1)


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()

    def on_signal() -> None:
        stop.set()
        _end_after(_PATIENCE, 0)

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, on_signal)
    return stop


def _end_after(seconds: float, code: int) -> None:
    """End the process hard if it has not ended by then: who waits for it must not wait for a hang."""
    timer = threading.Timer(seconds, os._exit, (code,))
    timer.daemon = True
    timer.start()
