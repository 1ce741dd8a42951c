"""Metrics on a real Prometheus: every panel has data, and the byte counter agrees with the origin."""

import pytest

from dev import kube
from dev.origins.hub import HubServer
from tests import counts
from tests.chart import panels
from tests.e2e import prometheus, release
from tests.e2e.sources import hub_source

SHORT_DOWNLOADS = counts.chosen(short=10, full=20)
SHORT_AT_ONCE = 5
SHORT_BYTES = 3_000_000


@pytest.mark.parametrize("size", [SHORT_BYTES])
def test_downloaded_bytes_agree_with_the_origin_over_short_downloads(
    space: str, hub: HubServer, size: int
) -> None:
    def counted() -> float:
        return release.sample("modelsync_downloaded_bytes_total", namespace=space)

    before = counted()
    names = [f"short-{index:02}" for index in range(SHORT_DOWNLOADS)]
    sources = {name: hub_source(hub, f"org/{name}", size=size) for name in names}
    with release.queue(space, SHORT_AT_ONCE) as queue, kube.Watch("modelsync", space) as watch:
        kube.apply(*(kube.sync(name, space, source, queue=queue) for name, source in sources.items()))
        for name in names:
            watch.until(
                lambda s, n=name: (
                    s["metadata"]["name"] == n and s.get("status", {}).get("phase") == "Complete"
                ),  # type: ignore[misc]
                240,
                f"{name} Complete",
            )
    sent = hub.bytes_sent()
    kube.eventually(lambda: abs(counted() - before - sent) <= sent * 0.001, 10, "the counter caught up")
    print(f"origin sent {sent} bytes, the operator counted {counted() - before:.0f}")


def test_every_panel_of_the_dashboard_has_data_during_a_download(space: str, hub: HubServer) -> None:
    # Something complete and something failed first, so that ratios and failures have a history.
    kube.apply(
        kube.sync("before", space, hub_source(hub, "org/before", size=100_000)),
        kube.sync("broken", space, {"huggingFace": {"repository": "org/none", "endpoint": hub.url}}),
    )
    kube.wait_complete("before", space)
    kube.wait_for("broken", space, kube.phase_is("Failed"), 60, "Failed")
    address = release.operator_pod()["status"]["podIP"]
    with prometheus.scraping(f"{address}:8080") as server:
        kube.apply(kube.sync("shown", space, hub_source(hub, "org/shown", size=40_000_000, rate=1_500_000)))
        kube.wait_for("shown", space, lambda s: "eta" in s.get("status", {}).get("display", {}), 60, "an ETA")
        wanted = dict(panels.queries(namespace=space))
        assert len(wanted) >= 8
        empty = set(wanted)

        def all_have_data() -> bool:
            for title in list(empty):
                if panels.has_data(server.query(wanted[title])):
                    empty.discard(title)
            return not empty

        try:
            kube.eventually(all_have_data, 25, "data in every panel")
        except AssertionError:
            pytest.fail(f"panels without data: {[(title, wanted[title]) for title in sorted(empty)]}")
