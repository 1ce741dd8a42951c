"""What a user of the page expects of a list of downloads, feature by feature."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from modelsync.api.common import display
from tests.page import rows
from tests.page.browsing import TOKEN, Visit, run, until
from tests.web.fake_cluster import ALL, FakeCluster, a_sync

pytestmark = pytest.mark.slow
_CLASSES = "(row) => [...row.querySelector('.badge').classList].filter((name) => name !== 'badge').join(' ')"
_OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def _a_cluster(*syncs: dict[str, Any]) -> FakeCluster:
    cluster = FakeCluster(users={TOKEN: {ALL, "modelsync-system"}})
    cluster.put(*syncs)
    return cluster


async def _is(visit: Visit, expression: str, value: object) -> bool:
    return bool(await visit.page.evaluate(expression) == value)


def _complete(name: str, network: int, reused: int, seconds: int) -> dict[str, Any]:
    sync = a_sync("a", name, "Complete")
    begin = datetime(2026, 3, 14, 12, tzinfo=UTC)
    sync["status"] |= {
        "conditions": [rows.ready("Complete", status="True")],
        "startTime": begin.isoformat(),
        "completionTime": (begin + timedelta(seconds=seconds)).isoformat(),
        "progress": {"bytesNetwork": network, "bytesReused": reused},
    }
    return sync


def test_each_state_has_a_sign_a_word_and_a_colour_and_only_what_runs_pulses() -> None:
    wanted = {
        "downloading": ("↓ Downloading", "blue pulse"),
        "stalled": ("! Stalled", "amber pulse"),
        "failed": ("✗ Failed", "red"),
        "complete": ("✓ Complete", "green"),
        "cancelled": ("⊘ Cancelled", "black"),
        "paused": ("‖ Paused", "grey"),
        "queued": ("◷ Queued", "yellow"),
        "phase-of-tomorrow": ("? Teleporting", "grey"),
    }

    async def test(visit: Visit) -> None:
        await visit.row("stalled").wait_for()
        seen = {}
        for name in wanted:
            row = visit.row(name)
            text = " ".join((await row.locator(".badge").inner_text()).split())
            seen[name] = text, await row.evaluate(_CLASSES)
        assert seen == wanted
        await visit.page.get_by_label("Group", exact=False).first.select_option("none")
        order = await visit.page.locator("tbody .name").all_inner_texts()
        assert order[:4] == ["phase-of-tomorrow", "stalled", "failed", "downloading"], "what needs attention"

    run(_a_cluster(*rows.each_state()), test)


def test_motion_only_where_it_is_welcome() -> None:
    async def test(visit: Visit) -> None:
        badge = visit.row("downloading").locator(".badge")
        for wish, animation in (("no-preference", "pulse"), ("reduce", "none")):
            await visit.page.emulate_media(reduced_motion=wish)  # type: ignore[arg-type]
            assert await badge.evaluate("(badge) => getComputedStyle(badge).animationName") == animation

    run(_a_cluster(rows.downloading("downloading", 300)), test)


def test_the_end_has_a_summary_that_can_be_copied_and_retries_what_failed() -> None:
    cluster = _a_cluster(
        _complete("one", 10_000_000_000, 0, 100), _complete("two", 0, 2_000_000_000, 10), rows.failed("three")
    )
    lines = [
        "Complete: 2 of 3 models",
        "From the network: 10.0GB",
        "Reused: 2.0GB",
        "Duration: 1m 40s",
        "Average speed: 100MB/s",
        "Peak speed: -",
        "Failed: a/three: ChecksumMismatch: The file model.bin has another sha256.",
    ]

    async def test(visit: Visit) -> None:
        await visit.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        await visit.page.get_by_role("button", name="Summary").click()
        dialog = visit.page.get_by_role("dialog", name="Summary")
        await dialog.get_by_text("a/three").wait_for()
        await dialog.get_by_role("button", name="Copy as text").click()
        await visit.page.get_by_role("status").filter(has_text="Copied.").wait_for()
        assert await visit.page.evaluate("navigator.clipboard.readText()") == "\n".join(lines)
        await dialog.get_by_role("button", name="Retry all failed").click()

        async def retried() -> bool:
            return "annotations" in cluster.syncs["a", "three"]["metadata"]

        await until(retried)

    run(cluster, test)


_BACKGROUND = """
window.notes = [];
window.Notification = class { constructor(title) { notes.push(title); } };
Notification.permission = 'granted';
Notification.requestPermission = async () => 'granted';
Object.defineProperty(document, 'hidden', {get: () => Boolean(window.isAway)});
"""


def test_a_download_that_ends_in_the_background_is_notified_after_an_opt_in() -> None:
    cluster = _a_cluster(rows.downloading("early", 10), rows.downloading("late", 10))

    async def test(visit: Visit) -> None:
        await visit.page.add_init_script(_BACKGROUND)
        await visit.page.reload()
        await visit.row("early").wait_for()
        await visit.page.evaluate("window.isAway = true")
        cluster.put(rows.failed("early"))
        await visit.badge("early", "Failed").wait_for()
        assert await visit.page.evaluate("notes") == [], "nobody asked for it"
        await visit.page.evaluate("window.isAway = false")
        await visit.page.get_by_role("button", name="Notify when a download ends").click()
        await visit.page.get_by_role("button", name="Notifications are on").wait_for()
        await visit.page.evaluate("window.isAway = true")
        cluster.put(_complete("late", 1, 0, 1))
        await visit.badge("late", "Complete").wait_for()
        assert await visit.page.evaluate("notes") == ["late: Complete"]

    run(cluster, test)


def test_compact_is_one_line_a_model_and_a_frame_leaves_the_choices_of_the_page_alone() -> None:
    async def test(visit: Visit) -> None:
        row = visit.row("downloading")
        await row.get_by_text("30.0%").first.wait_for()
        box = await row.bounding_box()
        assert box is not None and box["height"] <= 34
        assert await visit.page.get_by_label("Search models").count() == 0
        assert await visit.page.get_by_role("button", name="New download").count() == 0
        assert await visit.page.evaluate("localStorage.length") == 0
        await visit.page.goto(visit.address.partition("?")[0])
        await visit.row("downloading").wait_for()
        await visit.page.get_by_role("button", name="Compact").click()
        await until(lambda: _is(visit, "document.querySelectorAll('.queues, .chart').length", 0))

    run(_a_cluster(*rows.each_state()), test, path="?compact")


def test_a_minimised_page_shows_the_whole_only_and_says_that_downloads_go_on() -> None:
    async def test(visit: Visit) -> None:
        await visit.row("downloading").wait_for()
        await visit.page.get_by_role("button", name="Minimise").click()
        await visit.sees("Downloads go on in the cluster, also when this page is closed.")
        await visit.page.reload()
        await visit.sees("Downloads go on in the cluster")
        await visit.page.get_by_role("progressbar", name="All downloads").wait_for()
        assert await visit.page.get_by_role("table").count() == 0
        assert await visit.page.title() == "(30%) modelsync"

    run(_a_cluster(rows.downloading("downloading", 300)), test)


def test_details_show_attempts_conditions_and_the_command_of_each_act() -> None:
    sync = a_sync("a", "llama", "Queued")
    later = datetime.now(UTC) + timedelta(minutes=3)
    sync["status"] |= {
        "conditions": [rows.ready("BackingOff", "Another attempt follows.")],
        "attempts": 4,
        "failures": 2,
        "nextRetryTime": later.isoformat(),
        "lastFailure": {"reason": "NetworkError", "message": "The connection broke.", "attempt": 4},
    }

    async def test(visit: Visit) -> None:
        assert "next attempt in" in await visit.row("llama").inner_text()
        drawer = await visit.details("llama")
        for text in (
            "attempt 3 of 6 in a row without progress",
            "NetworkError of attempt 4: The connection broke.",
            "Another attempt follows.",
            "kubectl modelsync pause llama -n a",
            "kubectl modelsync retry llama -n a",
            "kubectl modelsync cancel llama -n a",
            "kubectl modelsync prioritize llama 0 -n a",
            "kubectl modelsync limit llama none -n a",
        ):
            await drawer.get_by_text(text).first.wait_for()
        await drawer.get_by_label("Limit").fill("50M; rm -rf /")
        await drawer.get_by_text("kubectl modelsync limit llama VALUE -n a").wait_for()

    run(_a_cluster(sync), test)


def test_an_engine_that_reports_in_steps_is_said_to_stand_still_for_a_while() -> None:
    sync = rows.downloading("llama", 300)
    sync["spec"]["engine"] = "HFTransfer"

    async def test(visit: Visit) -> None:
        await visit.details("llama")
        await visit.sees("reports its progress in steps")

    run(_a_cluster(sync), test)


def test_all_of_the_page_is_reached_by_keyboard() -> None:
    cluster = _a_cluster(*rows.each_state())

    async def test(visit: Visit) -> None:
        keyboard = visit.page.keyboard
        await visit.row("downloading").wait_for()
        await keyboard.press("/")
        await keyboard.type("downloading")
        await visit.sees("1 of 8 shown")
        focused = "document.activeElement.getAttribute('aria-label') || document.activeElement.textContent"
        reached: list[str] = []
        while "Cancel downloading" not in reached:
            await keyboard.press("Tab")
            reached.append(str(await visit.page.evaluate(focused)).strip())
            assert len(reached) < 40, reached
            if reached[-1] == "Select downloading":
                await keyboard.press("Space")
                await visit.sees("1 selected")
            if reached[-1] == "downloading":
                await keyboard.press("Enter")
                await visit.page.get_by_role("dialog", name="Details of downloading").wait_for()
                await keyboard.press("Escape")
                await until(lambda: _is(visit, focused, "downloading"))
        await keyboard.press("Enter")
        await visit.page.get_by_role("dialog", name="Cancel downloading?").wait_for()
        await keyboard.press("Escape")
        await until(lambda: _is(visit, "document.querySelectorAll('dialog').length", 0))
        await visit.page.get_by_role("button", name="Pause", exact=True).focus()
        await keyboard.press("Enter")

        async def paused() -> bool:
            return cluster.syncs["a", "downloading"]["spec"].get("suspend") is True

        await until(paused)

    run(cluster, test)


def test_nothing_is_cut_off_in_a_narrow_window() -> None:
    async def test(visit: Visit) -> None:
        await visit.row("stalled").wait_for()
        assert await visit.page.evaluate(_OVERFLOW) <= 0
        assert await visit.badge("stalled", "Stalled").is_visible()
        await visit.details("failed")
        await visit.page.get_by_role("dialog", name="Details of failed").wait_for()
        assert await visit.page.evaluate(_OVERFLOW) <= 0
        await visit.page.keyboard.press("Escape")
        await visit.page.get_by_role("button", name="Compact").click()
        await visit.row("downloading").locator(".brief", has_text="30.0%").wait_for()
        assert await visit.page.evaluate(_OVERFLOW) <= 0

    run(_a_cluster(*rows.each_state()), test, width=400)


def test_the_chart_writes_sizes_as_the_server_does() -> None:
    sizes = [0, 1, 999, 1000, 1204, 9994, 9996, 10_000, 99_949, 99_960, 999_499, 999_600, 45_200_000, 10**12]

    async def test(visit: Visit) -> None:
        script = "async (sizes) => { const {size} = await import('/js/words.js'); return sizes.map(size); }"
        assert await visit.page.evaluate(script, sizes) == [display.size(each) for each in sizes]

    run(_a_cluster(), test, log_in=False)
