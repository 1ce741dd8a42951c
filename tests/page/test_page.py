"""The page in a real Chromium, beside the small fake cluster of tests/web."""

from collections import Counter

import pytest
from playwright.async_api import Route

from tests.page import rows
from tests.page.browsing import TOKEN, Visit, run, until
from tests.web.fake_cluster import ALL, FakeCluster, a_sync

pytestmark = pytest.mark.slow


def a_cluster(*syncs: dict[str, object]) -> FakeCluster:
    cluster = FakeCluster(users={TOKEN: {ALL, "modelsync-system"}, "bob-has-another-token-too": {"b"}})
    cluster.put(*syncs)
    return cluster


def test_a_token_logs_in_a_wrong_one_is_refused_and_no_script_can_read_it() -> None:
    async def test(visit: Visit) -> None:
        await visit.log_in("nobody-has-this-token")
        await visit.page.get_by_role("alert").filter(has_text="does not accept this token").wait_for()
        await visit.log_in()
        await visit.sees("No ModelSync yet")
        assert await visit.page.evaluate("document.cookie + JSON.stringify(localStorage)") in ("{}", "")
        assert TOKEN not in await visit.page.content()

    run(a_cluster(), test, log_in=False)


def test_a_download_is_followed_live_from_its_beginning_to_its_end() -> None:
    cluster = a_cluster()

    async def test(visit: Visit) -> None:
        await visit.sees("No ModelSync yet")
        seen = []
        for done in (100, 400, 900):
            cluster.put(rows.downloading("llama", done))
            await visit.row("llama").get_by_text(f"{done / 10:.1f}%").wait_for()
            seen.append(await visit.page.title())
        assert seen == ["(10%) modelsync", "(40%) modelsync", "(90%) modelsync"]
        cluster.put(rows.renamed("complete", "llama"))
        await visit.row("llama").locator(".badge", has_text="Complete").wait_for()
        await visit.page.get_by_role("dialog", name="Summary").get_by_text("1 of 1").wait_for()

    run(cluster, test)


def test_the_summary_opens_for_what_ended_and_not_for_what_was_paused() -> None:
    cluster = a_cluster(rows.downloading("llama", 100))

    async def test(visit: Visit) -> None:
        summary = visit.page.get_by_role("dialog", name="Summary")
        await visit.badge("llama", "Downloading").wait_for()
        cluster.put(rows.renamed("paused", "llama"))
        await visit.badge("llama", "Paused").wait_for()
        assert await summary.count() == 0
        cluster.put(rows.downloading("llama", 500))
        await visit.badge("llama", "Downloading").wait_for()
        cluster.put(rows.renamed("complete", "llama"))
        await summary.get_by_text("1 of 1").wait_for()

    run(cluster, test)


def test_acts_change_the_object_and_nothing_else() -> None:
    cluster = a_cluster(*rows.each_state())

    async def test(visit: Visit) -> None:
        async def spec(name: str, field: str, wanted: object) -> None:
            async def there() -> bool:
                return bool(cluster.syncs["a", name]["spec"].get(field) == wanted)

            await until(there)

        await visit.page.get_by_role("button", name="Pause downloading").click()
        await spec("downloading", "suspend", True)
        await visit.page.get_by_role("button", name="Resume paused").click()
        await spec("paused", "suspend", False)
        await visit.page.get_by_role("button", name="Cancel stalled").click()
        await visit.page.get_by_role("dialog").get_by_role("button", name="Keep going").click()
        assert "cancel" not in cluster.syncs["a", "stalled"]["spec"]
        await visit.page.get_by_role("button", name="Cancel stalled").click()
        await visit.page.get_by_role("dialog").get_by_role("button", name="Cancel it").click()
        await spec("stalled", "cancel", True)
        await visit.page.get_by_role("button", name="Retry all failed (1)").click()
        await visit.page.get_by_role("status").filter(has_text="1 failed ModelSync is retried.").wait_for()
        retried = {name for (_, name), sync in cluster.syncs.items() if sync["metadata"].get("annotations")}
        assert retried == {"failed"}, "never the cancelled"

    run(cluster, test)


def test_priority_and_limit_are_set_in_the_details_and_a_wrong_one_is_explained() -> None:
    cluster = a_cluster(rows.downloading("llama", 100))

    async def test(visit: Visit) -> None:
        drawer = await visit.details("llama")
        await drawer.get_by_label("Limit").fill("quick")
        await drawer.get_by_role("button", name="Set").last.click()
        await visit.page.get_by_role("status").filter(has_text="quick").wait_for()
        await drawer.get_by_label("Limit").fill("50M")
        await drawer.get_by_role("button", name="Set").last.click()
        await drawer.get_by_label("Priority").fill("7")
        await drawer.get_by_role("button", name="Set").first.click()

        async def there() -> bool:
            spec = cluster.syncs["a", "llama"]["spec"]
            return (spec.get("bandwidthLimit"), spec.get("priority")) == ("50M", 7)

        await until(there)
        await drawer.get_by_text("kubectl modelsync pause llama -n a").wait_for()

    run(cluster, test)


def test_choices_and_the_open_details_survive_a_reload() -> None:
    async def test(visit: Visit) -> None:
        await visit.page.get_by_label("Search models").fill("sta")
        await visit.page.get_by_label("Group", exact=False).first.select_option("none")
        await visit.details("stalled")
        await visit.page.reload()
        await visit.page.get_by_role("dialog", name="Details of stalled").wait_for()
        await visit.sees("1 of 8 shown")

    run(a_cluster(*rows.each_state()), test)


def test_an_api_server_that_is_away_leaves_the_last_picture_with_its_age_and_comes_back() -> None:
    cluster = a_cluster(rows.downloading("llama", 300))

    async def test(visit: Visit) -> None:
        await visit.row("llama").wait_for()
        cluster.away = True
        cluster.end_watches()
        await visit.sees("The API server does not answer; figures from")
        assert await visit.row("llama").get_by_text("30.0%").is_visible()
        cluster.away = False
        cluster.put(rows.downloading("llama", 500))
        await visit.page.get_by_text("Live", exact=True).wait_for()
        await visit.row("llama").get_by_text("50.0%").wait_for()

    run(cluster, test)


def test_figures_of_an_operator_that_is_silent_are_called_old() -> None:
    async def test(visit: Visit) -> None:
        await visit.sees("The operator does not report; figures are old")

    run(a_cluster(rows.downloading("llama", 300, age_seconds=300)), test)


def test_a_caller_sees_what_they_may_list_and_reads_what_they_may_not() -> None:
    async def test(visit: Visit) -> None:
        await visit.log_in("bob-has-another-token-too")
        await visit.row("queued").wait_for()
        assert await visit.row("downloading").count() == 0
        await visit.sees("Not shown, since you may not list them: a")

    run(a_cluster(*rows.each_state()), test, log_in=False)


def test_a_new_download_shows_its_yaml_first_and_errors_at_their_fields() -> None:
    cluster = a_cluster()

    async def test(visit: Visit) -> None:
        await visit.page.get_by_role("button", name="New download").first.click()
        dialog = visit.page.get_by_role("dialog", name="New download")
        await dialog.get_by_label("Address").fill("https://huggingface.co/org/Model-1.5/tree/v2")
        await dialog.get_by_text("repository: org/Model-1.5").wait_for()
        assert await dialog.get_by_label("Name", exact=True).input_value() == "model-1-5"
        await dialog.get_by_label("Name", exact=True).fill("Not A Name")
        await dialog.get_by_label("PersistentVolumeClaim").fill("models")
        await dialog.get_by_role("button", name="Create").click()
        await dialog.locator("#error-name").wait_for()
        await dialog.get_by_label("Name", exact=True).fill("model")
        await dialog.get_by_role("button", name="Create").click()
        await visit.row("model").wait_for()
        spec = cluster.syncs["default", "model"]["spec"]
        assert spec["source"] == {"huggingFace": {"repository": "org/Model-1.5", "revision": "v2"}}
        assert spec["target"] == {"persistentVolumeClaim": {"claimName": "models"}}

    run(cluster, test)


def test_no_text_of_a_modelsync_becomes_a_part_of_the_page() -> None:
    attack = '<img src=x onerror=alert(1)><script>alert(2)</script>{{7*7}}" onmouseover="alert(3)'
    sync = rows.failed("attack", attack)
    sync["spec"] |= {"queue": attack, "group": attack, "source": {"huggingFace": {"repository": attack}}}
    sync["status"] |= {
        "display": {"source": attack, "target": attack, "stage": attack},
        "worker": {"nodeName": attack},
    }
    other = rows.downloading(
        "other", 5, currentFile=attack, activeFiles=[{"path": attack, "bytesDone": 1, "bytesTotal": 2}]
    )
    cluster = a_cluster(sync, other)
    about = {"namespace": "a", "name": "other", "uid": other["metadata"]["uid"]}
    said = [{"type": attack, "reason": attack, "message": attack}, {"reason": attack, "note": attack}]
    cluster.events = [{"involvedObject": about, **each} for each in said]
    cluster.pods.readers = {TOKEN}
    cluster.pods.put(name="other-1-x", sync="other", log=f"{attack}\n".encode())

    strange = "img:not([src='icon.svg']), table script, aside script"

    async def test(visit: Visit) -> None:
        dialogs: list[str] = []
        visit.page.on("dialog", lambda dialog: dialogs.append(dialog.message))
        for name in ("attack", "other"):
            await visit.details(name)
            await visit.page.get_by_role("dialog", name=f"Details of {name}").wait_for()
            assert await visit.page.locator(strange).count() == 0
        await visit.page.locator("aside li small").filter(has_text=attack).nth(1).wait_for()
        await visit.page.get_by_role("button", name="Show the last lines").click()
        await (
            visit.page.get_by_role("region", name="Last lines of the log").filter(has_text=attack).wait_for()
        )
        await visit.page.wait_for_timeout(500)
        assert not dialogs
        assert await visit.page.locator(strange).count() == 0

    run(cluster, test)


_LOADED = """[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
  .filter((each) => !each.name.includes('/api/')).map((each) => [each.name, each.encodedBodySize])"""


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("part", ["js/*.js", "js/main.js", "style.css"])
def test_a_page_of_which_a_part_did_not_arrive_is_loaded_once_more(part: str, times: int) -> None:
    async def test(visit: Visit) -> None:
        asked: Counter[str] = Counter()

        async def lose_the_first(route: Route) -> None:
            url = route.request.url
            asked[url] += 1
            lost = asked[url] <= times and not url.endswith("start.js")
            await (route.abort("connectionreset") if lost else route.continue_())

        await visit.page.route(f"**/{part}", lose_the_first)
        await visit.page.reload()
        await visit.row("llama").wait_for()

        async def asked_again() -> bool:
            return max(asked.values()) > times

        await until(asked_again)

    run(a_cluster(a_sync("a", "llama", "Downloading")), test)


def test_an_act_that_the_browser_drops_is_repeated() -> None:
    cluster = a_cluster(a_sync("a", "llama", "Downloading"))

    async def test(visit: Visit) -> None:
        sent: list[str] = []

        async def lose_the_first(route: Route) -> None:
            sent.append(route.request.url.rpartition("/")[2])
            await (route.abort("connectionreset") if len(sent) == 1 else route.continue_())

        await visit.page.route("**/pause", lose_the_first)
        await visit.act("Pause", "llama")

        async def paused() -> bool:
            return bool(cluster.syncs["a", "llama"]["spec"].get("suspend"))

        await until(paused)
        assert sent == ["pause", "pause"]

    run(cluster, test)


def test_all_that_the_page_loads_is_its_own_and_small() -> None:
    async def test(visit: Visit) -> None:
        await visit.page.reload()
        await visit.row("stalled").wait_for()
        loaded = await visit.page.evaluate(_LOADED)
        assert len(loaded) > 20
        assert all(url.startswith(visit.address) for url, _ in loaded)
        assert 0 < sum(size for _, size in loaded) <= 75_000, loaded

    run(a_cluster(*rows.each_state()), test)
