"""A real Chromium beside the web server and the fake cluster of `tests.web`, all in the test's event loop."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright

from modelsync.web.config import Limits
from tests.web import served
from tests.web.fake_cluster import FakeCluster

TOKEN = "alice-has-a-token-of-some-length"
_ARGUMENTS = (
    "--no-sandbox",  # root has none; the only pages are ours
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"


@dataclass
class Visit:
    """A page that is open, and what it complained of."""

    page: Page
    server: served.Served
    browser: Browser
    errors: list[str] = field(default_factory=list)

    @property
    def cluster(self) -> FakeCluster:
        """The cluster that it shows."""
        return self.server.cluster

    @property
    def address(self) -> str:
        """The page's own."""
        return f"http://127.0.0.1:{self.server.port}/"

    async def log_in(self, token: str = TOKEN) -> None:
        """Paste a token."""
        await self.page.get_by_label("Token").fill(token)
        await self.page.get_by_role("button", name="Log in").click()

    def row(self, name: str) -> Any:
        """The line of a model."""
        return self.page.get_by_role("row").filter(has=self.page.get_by_role("button", name=name, exact=True))

    async def sees(self, text: str) -> None:
        """Wait until a text is there."""
        await self.page.get_by_text(text).first.wait_for()

    def _said(self, message: ConsoleMessage) -> None:
        # A refused request is a line of the browser's own; the page's answer to it is what a test looks at.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.errors.append(message.text)


@contextlib.asynccontextmanager
async def visiting(
    cluster: FakeCluster, *, scheme: Any = "light", width: int = 1280, **settings: Any
) -> AsyncIterator[Visit]:
    """Open the page, not logged in; every complaint of it fails the test in the end."""
    settings = {"secure_cookie": False, "limits": Limits(), **settings}
    async with served.serving(cluster, **settings) as server, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(_ARGUMENTS))
        context = await browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=False
        )
        page = await context.new_page()
        visit = Visit(page, server, browser)
        page.on("console", visit._said)
        page.on("pageerror", lambda error: visit.errors.append(str(error)))
        page.set_default_timeout(30_000)
        await page.goto(visit.address)
        yield visit
        await browser.close()
    assert not visit.errors


def run(
    cluster: FakeCluster,
    test: Callable[[Visit], Coroutine[Any, Any, None]],
    *,
    log_in: bool = True,
    **more: Any,
) -> None:
    """Run a test with a page that is logged in."""

    async def whole() -> None:
        async with asyncio.timeout(180), visiting(cluster, **more) as visit:
            if log_in:
                await visit.log_in()
            await test(visit)

    asyncio.run(whole())


async def until(what: Callable[[], Awaitable[bool]], seconds: float = 30) -> None:
    """Wait until something is true."""
    async with asyncio.timeout(seconds):
        while not await what():
            await asyncio.sleep(0.05)
