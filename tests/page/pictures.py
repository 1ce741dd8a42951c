"""Pictures of the page for the documentation, from real downloads on a real cluster:

    dev/on-cluster.sh python -m tests.page.pictures

Namespace, claims and queues are the program's own, and are removed at the end.
"""

import argparse
import asyncio
import base64
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from playwright.async_api import Page

from dev import kube
from dev.origins.hub import HubServer
from tests.e2e import release, sources
from tests.e2e.release import ORIGIN_HOST
from tests.page.browsing import Window, opened

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "images"
SPACE, QUEUE = "research", "pictures"
MOST_BYTES = 150_000
_MB = 1_000_000
_RUNNING: dict[str, tuple[str, int, str]] = {
    "llama-3.1-8b-instruct": ("llama-3.1", 160 * _MB, "900k"),
    "llama-3.1-70b-instruct": ("llama-3.1", 400 * _MB, "1500k"),
    "parakeet-tdt-0.6b": ("speech", 60 * _MB, "400k"),
}
"""Group, size and bandwidth limit."""


def _syncs(hub: HubServer) -> Iterator[kube.Object]:
    def one(name: str, group: str, size: int, **spec: Any) -> kube.Object:
        source = sources.hub_source(hub, f"org/{name}", size=size)
        return kube.sync(
            name, SPACE, source, queue=QUEUE, group=group, sub_path=name.replace(".", "-"), **spec
        )

    yield one("whisper-large-v3", "speech", 20 * _MB)
    yield kube.sync("mistral-7b-gated", SPACE, sources.add_gated(hub), queue=QUEUE, group="mistral")
    for name, (group, size, limit) in _RUNNING.items():
        yield one(name, group, size, bandwidthLimit=limit)
    yield one("stable-diffusion-xl", "images", 90 * _MB, suspend=True)
    yield one("flux-dev", "images", 90 * _MB, priority=-5)


@contextlib.contextmanager
def _downloads() -> Iterator[None]:
    """One of each state: complete, failed, paused, queued, and three that run for some minutes."""
    with (
        kube.namespace(SPACE),
        release.queue(QUEUE, len(_RUNNING)),
        HubServer(host=ORIGIN_HOST, tokens={sources.GATED_TOKEN: None}) as hub,
    ):
        kube.apply(kube.claim("models", SPACE, "2Gi"))
        done, failed, *others = _syncs(hub)
        kube.apply(done, failed)
        kube.wait_for("mistral-7b-gated", SPACE, kube.phase_is("Failed"), 120)
        kube.wait_complete("whisper-large-v3", SPACE)
        kube.apply(*others)
        for name in _RUNNING:
            kube.wait_for(name, SPACE, kube.phase_is("Downloading"), 120)
        yield


@contextlib.contextmanager
def _dashboard() -> Iterator[str]:
    """`modelsync dashboard`; yields the URL to open."""
    command = [sys.executable, "-m", "modelsync", "dashboard", "--operator-namespace", release.SYSTEM]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


async def _save(page: Page, name: str, folder: Path) -> None:
    """As WebP, which is a third of a PNG; also as PNG, where a folder of one's own was named."""
    session = await page.context.new_cdp_session(page)
    shot = await session.send("Page.captureScreenshot", {"format": "webp", "quality": 80})
    data = base64.b64decode(shot["data"])
    assert len(data) <= MOST_BYTES, f"{name}: {len(data)} bytes"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"page-{name}.webp").write_bytes(data)
    if folder != FOLDER:
        await page.screenshot(path=folder / f"page-{name}.png")


@contextlib.asynccontextmanager
async def _window(url: str, scheme: str, width: int) -> AsyncIterator[Window]:
    async with opened(url, scheme=scheme, width=width) as window:
        await window.page.set_viewport_size({"width": width, "height": 900})
        for name in _RUNNING:
            await (
                window.row(name)
                .get_by_text("MB/s")
                .or_(window.row(name).get_by_text("KB/s"))
                .first.wait_for()
            )
        yield window


async def _take(url: str, folder: Path, seconds: float) -> None:
    async with _window(url, "light", 1280) as window:
        page = window.page
        await page.get_by_role("button", name="5 min").click()
        await asyncio.sleep(seconds)  # the chart needs a past
        await _save(page, "light", folder)
        await page.emulate_media(color_scheme="dark")
        await page.wait_for_timeout(7000)  # the chart is drawn again each five seconds
        await _save(page, "dark", folder)
        await page.emulate_media(color_scheme="light")
        await page.wait_for_timeout(6000)
        await page.get_by_role("button", name="llama-3.1-8b-instruct", exact=True).click()
        await page.get_by_role("dialog").get_by_role("heading", name="Events").wait_for()
        await page.wait_for_timeout(1500)
        await _save(page, "details", folder)
        await page.keyboard.press("Escape")
        await page.get_by_role("button", name="New download").click()
        form = page.get_by_role("dialog")
        await form.get_by_label("Address").fill("https://huggingface.co/org/phi-4/tree/main")
        await form.get_by_label("PersistentVolumeClaim").fill("models")
        await _save(page, "create", folder)
        await page.keyboard.press("Escape")
        await page.set_viewport_size({"width": 420, "height": 900})
        await page.wait_for_timeout(1500)
        await _save(page, "narrow", folder)
        await page.set_viewport_size({"width": 420, "height": 480})
        await page.goto(page.url + "?compact")
        await window.row("flux-dev").wait_for()
        await page.wait_for_timeout(1500)
        await _save(page, "compact", folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--seconds", type=float, default=45, help="how long downloads run before")
    arguments = parser.parse_args()
    release.ensure()
    with _downloads(), _dashboard() as address:
        asyncio.run(_take(address, arguments.folder, arguments.seconds))
