"""An open page, while the operator, the page's own server or the API server is killed and comes back."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable

import pytest

from dev import kube
from dev.cluster import controlplane, daemons, lifecycle
from dev.origins.hub import HubServer
from tests import counts
from tests.e2e import release
from tests.e2e.page_server import SECONDS, PageServer, visit
from tests.e2e.sources import hub_source
from tests.page.browsing import Window

SIZE = 60_000_000
Restart = Callable[[Window, PageServer], Awaitable[None]]


async def restart_server(window: Window, web: PageServer) -> None:
    """Kill the page's own server; sessions outlive it, as in the chart's Pod."""
    web.stop(signal.SIGKILL)
    await window.sees("Reconnecting")
    await asyncio.to_thread(web.start)


async def restart_operator(window: Window, web: PageServer) -> None:
    """Kill the operator; its Deployment starts another one."""
    pod = release.operator_pod()["metadata"]["name"]
    kill = ("delete", "pod", pod, "-n", release.SYSTEM, "--grace-period=0", "--force")
    await asyncio.to_thread(kube.kubectl, *kill)
    ready = ("rollout", "status", f"deployment/{release.RELEASE}", "-n", release.SYSTEM)
    await asyncio.to_thread(kube.kubectl, *ready, timeout=SECONDS)


async def restart_api_server(window: Window, web: PageServer) -> None:
    """Kill the API server, and start it when the page says that it is away."""
    cluster = lifecycle.saved(os.environ["MODELSYNC_DEV_CLUSTER"])
    command = daemons.kill(cluster, "kube-apiserver")
    try:
        await window.sees("The API server does not answer")
    finally:
        daemons.start(cluster, "kube-apiserver", *command)
        await asyncio.to_thread(controlplane.wait_for_api, cluster)


def check(restart: Restart, web: PageServer, token: str, space: str, hub: HubServer) -> None:
    """The page reconnects by itself, no percentage falls, and the figures are right in the end."""
    kube.apply(kube.sync("llama", space, hub_source(hub, "org/llama", size=SIZE, rate=400_000)))

    async def test(window: Window) -> None:
        await window.badge("llama", "Downloading").wait_for()
        await window.record_percents()
        await window.percent_above("llama", 0, SECONDS)
        await restart(window, web)
        await window.page.get_by_text("Live", exact=True).wait_for()
        await window.percent_above("llama", await window.percent("llama"), SECONDS)
        hub.rate = None
        await window.badge("llama", "Complete").wait_for()
        await window.row("llama").get_by_text("60.0MB / 60.0MB").wait_for()
        percents = await window.percents()
        assert percents == sorted(percents), percents

    visit(web, token, test)
    assert kube.get("modelsync", "llama", space)["status"]["attempts"] == 1


def test_a_page_whose_server_was_killed_goes_on_by_itself(
    web: PageServer, token: str, space: str, hub: HubServer
) -> None:
    check(restart_server, web, token, space, hub)


@pytest.mark.alone
def test_a_page_goes_on_by_itself_when_the_operator_was_killed(
    web: PageServer, token: str, space: str, hub: HubServer
) -> None:
    check(restart_operator, web, token, space, hub)


@pytest.mark.alone
@pytest.mark.skipif(not counts.FULL, reason="takes a minute of the whole cluster: `make page`")
@pytest.mark.skipif("MODELSYNC_DEV_CLUSTER" not in os.environ, reason="kills processes of our own cluster")
def test_a_page_goes_on_by_itself_when_the_api_server_was_killed(
    web: PageServer, token: str, space: str, hub: HubServer
) -> None:
    check(restart_api_server, web, token, space, hub)
