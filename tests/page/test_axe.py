"""No violation of WCAG 2.1 AA that axe finds, in any state of the page and in both themes."""

import importlib.resources
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from tests import counts
from tests.page import rows
from tests.page.browsing import TOKEN, Visit, run
from tests.web.fake_cluster import ALL, FakeCluster

pytestmark = pytest.mark.slow
AXE = importlib.resources.files("axe_playwright_python").joinpath("axe.min.js").read_text()
_ALL = "axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']})"
_CONTRAST = "axe.run({runOnly: {type: 'rule', values: ['color-contrast']}})"
"""The one rule that another theme can break."""
NOBODY = "nobody-may-list-anything"


@dataclass
class Finder:
    """Looks at a page as it is, and keeps what axe finds."""

    visit: Visit
    found: list[str] = field(default_factory=list)

    async def look(self, where: str) -> None:
        """In the light theme by every rule, in the dark one by contrast."""
        page = self.visit.page
        await page.evaluate(AXE)
        for scheme, rules in (("light", _ALL), ("dark", _CONTRAST)):
            await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
            result = await page.evaluate(rules)
            self.found += [
                f"{where}, {scheme}: {each['id']}: {each['nodes'][0]['html'][:200]}"
                for each in result["violations"]
            ]


async def _empty(visit: Visit) -> None:
    await visit.sees("No ModelSync yet")


async def _table(visit: Visit) -> None:
    visit.cluster.put(*rows.each_state())
    await visit.row("stalled").wait_for()


async def _details(visit: Visit) -> None:
    await visit.details("failed")
    await visit.page.get_by_role("dialog", name="Details of failed").get_by_text("What to do").wait_for()


async def _details_of_one_that_runs(visit: Visit) -> None:
    await visit.page.keyboard.press("Escape")
    await visit.details("stalled")
    await visit.page.get_by_role("dialog", name="Details of stalled").get_by_label("Limit").wait_for()


async def _summary(visit: Visit) -> None:
    await visit.page.keyboard.press("Escape")
    await visit.page.get_by_role("button", name="Summary").click()
    await visit.page.get_by_role("dialog", name="Summary").get_by_text("a/failed").wait_for()


async def _form_with_errors(visit: Visit) -> None:
    await visit.page.keyboard.press("Escape")
    await visit.page.get_by_role("button", name="New download").click()
    dialog = visit.page.get_by_role("dialog", name="New download")
    await dialog.get_by_label("Address").fill("hf://org/model")
    await dialog.get_by_label("Name", exact=True).fill("Not A Name")
    await dialog.get_by_role("button", name="Create").click()
    await dialog.locator("#error-name").wait_for()


async def _question(visit: Visit) -> None:
    await visit.page.keyboard.press("Escape")
    await visit.act("Cancel", "downloading")
    await visit.page.get_by_role("dialog").wait_for()


async def _several(visit: Visit) -> None:
    await visit.page.keyboard.press("Escape")
    await visit.page.get_by_label("Select paused").check()
    await visit.sees("1 selected")


async def _compact(visit: Visit) -> None:
    await visit.page.get_by_role("button", name="Compact").click()


async def _no_match(visit: Visit) -> None:
    await visit.page.get_by_label("Search models").fill("nothing of this name")
    await visit.sees("Nothing fits the filter")


async def _minimised(visit: Visit) -> None:
    await visit.page.get_by_role("button", name="Minimise").click()
    await visit.sees("Downloads go on in the cluster")


async def _operator_away(visit: Visit) -> None:
    await visit.page.get_by_role("button", name="Minimise").click()
    await visit.page.get_by_role("button", name="Show all").click()
    visit.cluster.put(
        rows.downloading("downloading", 300, age_seconds=900),
        rows.downloading("stalled", 100, age_seconds=900),
    )
    await visit.sees("The operator does not report")


async def _api_server_away(visit: Visit) -> None:
    visit.cluster.away = True
    visit.cluster.end_watches()
    await visit.sees("The API server does not answer")


async def _no_rights(visit: Visit) -> None:
    visit.cluster.away = False
    await visit.page.get_by_role("button", name="Log out").click()
    await visit.log_in(NOBODY)
    await visit.sees("You may not list ModelSyncs here")


_STATES: dict[str, Callable[[Visit], Awaitable[None]]] = {
    "empty": _empty,
    "all states": _table,
    "details": _details,
    "details of one that runs": _details_of_one_that_runs,
    "summary": _summary,
    "form with errors": _form_with_errors,
    "question": _question,
    "several selected": _several,
    "compact": _compact,
    "no match": _no_match,
    "minimised": _minimised,
    "operator away": _operator_away,
    "API server away": _api_server_away,
    "no rights": _no_rights,
}
"""Each is reached from the one before it."""
_SHORT = frozenset({"all states", "details", "form with errors", "API server away"})


def test_axe_finds_no_violation_of_wcag_2_1_aa_in_any_state() -> None:
    cluster = FakeCluster(users={TOKEN: {ALL, "modelsync-system"}, NOBODY: set()})
    looked_at = counts.chosen(short=_SHORT, full=frozenset(_STATES))

    async def test(visit: Visit) -> None:
        finder = Finder(visit)
        await finder.look("login")
        await visit.log_in("nobody-has-this-token")
        await visit.page.get_by_role("alert").filter(has_text="does not accept").wait_for()
        await finder.look("refused login")
        await visit.log_in()
        for name, reach in _STATES.items():
            await reach(visit)
            if name in looked_at:
                await finder.look(name)
        assert finder.found == []

    run(cluster, test, log_in=False)
