"""A real Chromium on the page of any server (tests/e2e), or of one with a fake cluster in the test's loop."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
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
_CHROMIUM = Path(__file__).with_name("isolated_chromium.py")


_REPORTS = (
    "addEventListener('securitypolicyviolation', (event) => console.error(`CSP: ${event.violatedDirective}`))"
)

_CLICKED = """addEventListener('click', ({target}) => {
  window.clicked = target.closest('button')?.textContent;
}, true);"""

_RECORD = """() => {
  window.percents = [];
  const look = () => {
    const bar = document.querySelector('td.progress progress');
    if (bar && bar.hasAttribute('value')) percents.push(Number(bar.value));
  };
  new MutationObserver(look).observe(document.body, {subtree: true, childList: true, attributes: true});
}"""


@dataclass
class Window:
    """A page that is open, and what it complained of."""

    page: Page
    address: str
    """The page's own."""
    errors: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    """Requests that the browser dropped, and why."""

    async def log_in(self, token: str = TOKEN) -> None:
        """Paste a token."""
        await self.page.get_by_label("Token").fill(token)
        await self.page.get_by_role("button", name="Log in").click()

    def row(self, name: str) -> Any:
        """The line of a model."""
        return self.page.get_by_role("row").filter(has=self.page.get_by_role("button", name=name, exact=True))

    def badge(self, name: str, word: str) -> Any:
        """The badge of a model's line, where it says this word."""
        return self.row(name).locator(".badge", has_text=word)

    async def act(self, verb: str, name: str) -> None:
        """Press a button of a model's line."""
        await self.page.get_by_role("button", name=f"{verb} {name}", exact=True).click()

    async def details(self, name: str) -> Any:
        """Open the details of a model by a press that reaches its name, and return them.

        A line moves when others arrive, and where it does so between pressing and letting go, its name gets
        no click. Such a press is repeated; one that is a click of the name has to open the details.
        """
        button = self.page.get_by_role("button", name=name, exact=True)

        async def reached() -> bool:
            await self.page.evaluate("window.clicked = null")
            await button.click()
            return bool(await self.page.evaluate("window.clicked") == name)

        await until(reached)
        opened = self.page.get_by_role("dialog", name=f"Details of {name}", exact=True)
        await opened.wait_for()
        return opened

    async def percent(self, name: str) -> float:
        """What the bar of a model's line shows; 0 where it shows none."""
        return float(await self.row(name).locator("progress").get_attribute("value") or 0)

    async def percent_above(self, name: str, least: float, seconds: float) -> None:
        """Wait until a model's bar has passed a percentage."""

        async def passed() -> bool:
            return await self.percent(name) > least

        await until(passed, seconds)

    async def record_percents(self) -> None:
        """From now on, until a reload, keep each percentage that the first line shows."""
        await self.page.evaluate(_RECORD)

    async def percents(self) -> list[float]:
        """Those that were kept, the oldest first."""
        return list(await self.page.evaluate("percents"))

    async def close_summaries(self) -> None:
        """From now on close the summary whenever it opens by itself and covers what is to be pressed."""
        summary = self.page.get_by_role("dialog", name="Summary")

        async def close() -> None:
            await summary.get_by_role("button", name="Close").click()

        await self.page.add_locator_handler(summary, close)

    async def sees(self, text: str) -> None:
        """Wait until a text is there."""
        await self.page.get_by_text(text).first.wait_for()

    def _said(self, message: ConsoleMessage) -> None:
        # A refused request is a line of the browser's own; the page's answer to it is what a test looks at.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.errors.append(message.text)


@dataclass
class Visit(Window):
    """A page that is open beside the fake cluster."""

    server: served.Served = field(kw_only=True)

    @property
    def cluster(self) -> FakeCluster:
        """The cluster that it shows."""
        return self.server.cluster


class Chromium:
    """One browser and the loop that it lives in, for all tests of a process; each visit has a context of its
    own."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._stack = contextlib.AsyncExitStack()
        self._browser: Browser | None = None

    def run(self, test: Coroutine[Any, Any, None], seconds: float) -> None:
        """Run a test in the browser's loop, for so long at most."""

        async def bounded() -> None:
            async with asyncio.timeout(seconds):
                await test

        self._runner.run(bounded())

    async def browser(self) -> Browser:
        """The browser, started at its first use."""
        if self._browser is None:
            self._browser = await self._stack.enter_async_context(chromium())
        return self._browser

    def lives_here(self) -> bool:
        """Whether the running loop is the browser's."""
        return asyncio.get_running_loop() is self._runner.get_loop()

    def close(self) -> None:
        """End it."""
        self._runner.run(self._stack.aclose())
        self._runner.close()


SHARED = Chromium()


@contextlib.asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A browser of its own."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=_CHROMIUM, args=list(_ARGUMENTS))
        yield browser
        await browser.close()


@contextlib.asynccontextmanager
async def opened(
    address: str, *, scheme: Any = "light", width: int = 1280, browser: Browser | None = None
) -> AsyncIterator[Window]:
    """Open the page; what its scripts and its content policy complain of fails in the end.

    In the loop of SHARED it is in that browser, elsewhere in one of its own or in the one given.
    """
    async with contextlib.AsyncExitStack() as stack:
        if browser is None:
            shared = SHARED.lives_here()
            browser = await SHARED.browser() if shared else await stack.enter_async_context(chromium())
        context = await browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=False
        )
        stack.push_async_callback(context.close)
        await context.add_init_script(_REPORTS)
        await context.add_init_script(_CLICKED)
        page = await context.new_page()
        window = Window(page, address)
        page.on("console", window._said)
        page.on("pageerror", lambda error: window.errors.append(str(error)))
        page.on("requestfailed", lambda request: window.lost.append(f"{request.url}: {request.failure}"))
        page.set_default_timeout(120_000)
        try:
            await page.goto(address)
            yield window
        except Exception as error:
            error.add_note(f"at {page.url}: {window.errors}, {window.lost}, {await _shown(page)}")
            raise
    assert window.errors == []
    assert not [each for each in window.lost if "ERR_NETWORK_CHANGED" in each], "see isolated_chromium"


async def _shown(page: Page) -> str:
    """What a page shows, for the report of a test that failed."""
    try:
        async with asyncio.timeout(5):
            return str(await page.evaluate("document.documentElement.innerText"))[:2000]
    except Exception as error:
        return repr(error)


@contextlib.asynccontextmanager
async def visiting(
    cluster: FakeCluster, *, path: str = "", settings: dict[str, Any] | None = None, **more: Any
) -> AsyncIterator[Visit]:
    """Open the page beside a fake cluster, not logged in; `settings` are the server's."""
    given = {"secure_cookie": False, "limits": Limits(), **(settings or {})}
    async with served.serving(cluster, **given) as server:
        address = f"http://127.0.0.1:{server.port}/{path}"
        async with opened(address, **more) as window:
            yield Visit(window.page, address, window.errors, server=server)


def run(
    cluster: FakeCluster,
    test: Callable[[Visit], Coroutine[Any, Any, None]],
    *,
    log_in: bool = True,
    seconds: float = 900,
    **more: Any,
) -> None:
    """Run a test with a page that is logged in. A hang ends after `seconds`; a machine that does much else is
    no hang."""

    async def whole() -> None:
        async with visiting(cluster, **more) as visit:
            if log_in:
                await visit.log_in()
            await test(visit)

    SHARED.run(whole(), seconds)


async def until(what: Callable[[], Awaitable[bool]], seconds: float = 120) -> None:
    """Wait until something is true."""
    async with asyncio.timeout(seconds):
        while not await what():
            await asyncio.sleep(0.05)
