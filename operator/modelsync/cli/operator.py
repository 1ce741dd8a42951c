"""`modelsync operator`: runs the operator, in a Pod or on a laptop against a kubeconfig.

The flags are made from `operator_config.OPTIONS`, each with its variable; so neither is written twice. The
process ends within seconds whatever happens: 0 after SIGTERM, 1 when the lease was lost, 2 for a wrong
setting.
"""

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

import click

import modelsync
from modelsync.runtime import app
from modelsync.runtime.cluster import api_client
from modelsync.runtime.telemetry import log_setup, metrics
from modelsync.settings import operator_config

_PATIENCE = 9.0
"""Seconds after SIGTERM when the process ends even if something hangs; below a Pod's usual grace."""


def _with_options(function: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(operator_config.OPTIONS):
        default = f" [default: {option.default}]" if option.default else ""
        function = click.option(
            option.flag,
            option.name,
            multiple=option.repeatable,
            metavar="TEXT",
            help=f"{option.help} [{' or '.join(option.variables)}]{default}",
        )(function)
    return function


@click.command("operator")
@_with_options
def command(**flags: Any) -> None:
    """Run the operator."""
    settings = operator_config.operator_config(flags)
    log_setup.configure(settings.log_format, settings.log_level)
    code = asyncio.run(_run(settings))
    logging.shutdown()
    sys.stdout.flush()
    # All is in order by now. What threads of the libraries still do must not meet an interpreter that takes
    # itself apart: a process that ended well was then seen to end by SIGSEGV.
    os._exit(code)


async def _run(settings: operator_config.OperatorConfig) -> int:
    measuring = metrics.Metrics()
    api = await api_client.connect(
        in_cluster=settings.in_cluster,
        kubeconfig=settings.kubeconfig,
        context=settings.context,
        observer=measuring.observe_request,
        agent=f"modelsync/{modelsync.__version__}",
    )
    try:
        return await app.Operator(settings, api, measuring).run(_stop_on_signals())
    finally:
        await api.close()
        _end_after(3.0, 1)


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()

    def told() -> None:
        stop.set()
        _end_after(_PATIENCE, 0)

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told)
    return stop


def _end_after(seconds: float, code: int) -> None:
    """End the process hard if it has not ended by then: whoever waits for it must not wait for a hang."""
    timer = threading.Timer(seconds, os._exit, (code,))
    timer.daemon = True
    timer.start()
