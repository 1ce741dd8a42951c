"""The page in a real Chromium on the real cluster, for a ServiceAccount that may edit one namespace."""

from typing import Any

from dev import kube
from dev.origins.hub import HubServer
from modelsync.api import naming
from tests.e2e import page_server, release
from tests.e2e.page_server import PageServer, visit
from tests.e2e.sources import hub_source
from tests.page.browsing import Window

SIZE = 6_000_000


def spec_of(name: str, space: str) -> Any:
    return kube.get("modelsync", name, space)["spec"]


def has_pods(space: str) -> bool:
    return bool(kube.get("pods", namespace=space))


def test_a_token_of_a_service_account_logs_in_and_a_wrong_one_does_not(web: PageServer, token: str) -> None:
    async def test(window: Window) -> None:
        await window.log_in(token[:-8] + "AAAAAAAA")
        await window.page.get_by_role("alert").filter(has_text="does not accept this token").wait_for()
        await window.log_in(token)
        await window.sees("No ModelSync yet")
        assert await window.page.evaluate("document.cookie") == ""
        await window.page.get_by_role("button", name="Log out").click()
        await window.page.get_by_label("Token").wait_for()

    visit(web, None, test)
    assert token not in web.log() and token[:-8] not in web.log()


def test_a_download_is_watched_from_queued_to_complete(
    web: PageServer, token: str, space: str, hub: HubServer
) -> None:
    source = hub_source(hub, "org/llama", size=SIZE, rate=1_500_000)

    async def test(window: Window) -> None:
        await window.record_percents()
        with release.queue("page-watched", 0) as queue:
            kube.apply(kube.sync("llama", space, source, queue=queue))
            await window.badge("llama", "Queued").wait_for()
            kube.patch("syncqueue", queue, release.SYSTEM, {"spec": {"maxActive": 1}})
            await window.badge("llama", "Downloading").wait_for()
            await window.badge("llama", "Complete").wait_for()
        await window.row("llama").get_by_text("6.0MB / 6.0MB").wait_for()
        await window.page.get_by_role("dialog", name="Summary").get_by_text("1 of 1").wait_for()
        percents = await window.percents()
        assert percents == sorted(percents) and any(0 < each < 100 for each in percents), percents

    visit(web, token, test)


def test_a_reload_in_the_middle_keeps_the_figures_the_choices_and_the_details(
    web: PageServer, token: str, space: str, hub: HubServer
) -> None:
    kube.apply(kube.sync("llama", space, hub_source(hub, "org/llama", size=100 * SIZE, rate=1_000_000)))

    async def test(window: Window) -> None:
        await window.badge("llama", "Downloading").wait_for()
        await window.percent_above("llama", 0, page_server.SECONDS)
        await window.page.get_by_role("button", name="Compact").click()
        drawer = await window.details("llama")
        await drawer.get_by_text("kubectl modelsync pause llama").wait_for()
        await drawer.get_by_text("Ready", exact=True).first.wait_for()
        await drawer.get_by_role("heading", name="Events").wait_for()
        before = await window.percent("llama")
        await window.page.reload()
        await drawer.get_by_text("kubectl modelsync pause llama").wait_for()
        await window.page.locator("table.compact").wait_for()
        assert await window.percent("llama") >= before

    visit(web, token, test)


def test_pause_and_resume_on_the_page_end_and_begin_the_worker(
    web: PageServer, token: str, space: str, hub: HubServer
) -> None:
    kube.apply(kube.sync("llama", space, hub_source(hub, "org/llama", size=10 * SIZE, rate=100_000)))

    async def test(window: Window) -> None:
        await window.badge("llama", "Downloading").wait_for()
        await window.act("Pause", "llama")
        await window.badge("llama", "Paused").wait_for()
        assert spec_of("llama", space)["suspend"] is True
        kube.eventually(lambda: not has_pods(space), page_server.SECONDS, "the worker has ended")
        hub.rate = None
        await window.act("Resume", "llama")
        await window.badge("llama", "Complete").wait_for()

    visit(web, token, test)


def test_cancel_on_the_page_asks_first_and_ends_the_worker(
    web: PageServer, token: str, space: str, hub: HubServer
) -> None:
    kube.apply(kube.sync("llama", space, hub_source(hub, "org/llama", size=10 * SIZE, rate=100_000)))

    async def test(window: Window) -> None:
        await window.badge("llama", "Downloading").wait_for()
        await window.act("Cancel", "llama")
        question = window.page.get_by_role("dialog", name="Cancel llama?")
        await question.get_by_role("button", name="Keep going").click()
        assert spec_of("llama", space)["cancel"] is False
        await window.act("Cancel", "llama")
        await question.get_by_role("button", name="Cancel it").click()
        await window.badge("llama", "Cancelled").wait_for()
        assert spec_of("llama", space)["cancel"] is True

    visit(web, token, test)
    kube.eventually(lambda: not has_pods(space), page_server.SECONDS, "the worker has ended")


def test_a_failed_one_is_retried_by_its_row_and_all_failed_but_never_the_cancelled(
    web: PageServer, token: str, space: str, hub: HubServer
) -> None:
    absent = {"huggingFace": {"repository": "org/later", "endpoint": hub.url}}
    kube.apply(kube.sync("wrong", space, absent), kube.sync("unwanted", space, absent, cancel=True))

    async def test(window: Window) -> None:
        await window.close_summaries()
        await window.badge("unwanted", "Cancelled").wait_for()
        await window.badge("wrong", "Failed").wait_for()
        await window.act("Retry", "wrong")
        kube.wait_for("wrong", space, _failed_twice, page_server.SECONDS, "a second attempt that fails")
        hub_source(hub, "org/later", size=1000)
        await window.badge("wrong", "Failed").wait_for()
        await window.page.get_by_role("button", name="Retry all failed (1)").click()
        await window.page.get_by_role("status").filter(has_text="1 failed ModelSync is retried.").wait_for()
        await window.badge("wrong", "Complete").wait_for()
        assert await window.badge("unwanted", "Cancelled").is_visible()

    visit(web, token, test)
    unwanted = kube.get("modelsync", "unwanted", space)["metadata"]
    assert naming.RETRY_ANNOTATION not in unwanted.get("annotations", {})


def _failed_twice(sync: kube.Object) -> bool:
    status = sync.get("status", {})
    return bool(status.get("attempts") == 2 and status.get("phase") == "Failed")


def test_a_download_is_created_by_the_form_and_what_the_api_server_refuses_is_shown_at_its_field(
    web: PageServer, token: str, space: str
) -> None:
    async def test(window: Window) -> None:
        await window.sees("No ModelSync yet")
        await window.page.get_by_role("button", name="New download").first.click()
        form = window.page.get_by_role("dialog", name="New download")
        assert await form.get_by_label("Namespace").input_value() == space
        await form.get_by_label("Address").fill("s3://models/llama")
        await form.get_by_label("Name", exact=True).fill("llama")
        await form.get_by_label("PersistentVolumeClaim").fill("models")
        await form.get_by_label("Directory on it").fill("../outside")
        await form.get_by_role("button", name="Create").click()
        await form.locator("#error-subPath").wait_for()
        assert not kube.exists("modelsync", "llama", space)
        await form.get_by_label("Directory on it").fill("llama")
        await form.get_by_text("More", exact=True).click()
        await form.get_by_label("Queue").fill("page-not-there")
        await form.get_by_role("button", name="Create").click()
        await window.row("llama").wait_for()
        await window.sees("page-not-there")

    visit(web, token, test)
    spec = spec_of("llama", space)
    assert spec["source"]["s3"].items() >= {"bucket": "models", "prefix": "llama"}.items()
    assert spec["target"]["persistentVolumeClaim"] == {"claimName": "models", "subPath": "llama"}
