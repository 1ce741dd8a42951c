"""What the page shows of a worker that runs: its files, what its network carries, the end of its log."""

import pytest

from tests.page import rows
from tests.page.browsing import TOKEN, Visit, run
from tests.web.fake_cluster import ALL, FakeCluster
from tests.web.fake_pods import Pod

pytestmark = pytest.mark.slow
HOSTILE = b"\x1b[31mred\x1b[0m <img src=x onerror=alert(1)>\r\nlast line\n"


def a_cluster() -> tuple[FakeCluster, Pod]:
    """A download, and its worker, whose log the caller may read."""
    cluster = FakeCluster(users={TOKEN: {ALL, "modelsync-system"}})
    files = [{"path": "model-1.bin", "bytesDone": 120_000_000, "bytesTotal": 400_000_000}, {"path": "b"}]
    rates = {"receiveBytesPerSecond": 21_000_000, "transmitBytesPerSecond": 310_000}
    cluster.put(rows.downloading("llama", 300, activeFiles=files, network=rates))
    cluster.pods.readers = {TOKEN}
    return cluster, cluster.pods.put(name="llama-1-x", sync="llama", log=HOSTILE)


def test_files_and_rates_are_shown_and_the_log_when_it_is_asked_for_and_again_while_the_worker_runs() -> None:
    cluster, pod = a_cluster()

    async def test(visit: Visit) -> None:
        await visit.details("llama")
        await visit.sees("↓ 21.0MB/s ↑ 310KB/s")
        await visit.sees("120MB / 400MB · 30.0%")
        assert await visit.page.get_by_role("progressbar", name="model-1.bin").get_attribute("value") == "30"
        show = visit.page.get_by_role("button", name="Show the last lines")
        await show.wait_for()
        assert not any("/log?" in path for *_, path in cluster.asked)
        await show.click()
        log = visit.page.get_by_role("region", name="Last lines of the log")
        await log.get_by_text("last line").wait_for()
        shown = await log.inner_text()
        assert shown == "�[31mred�[0m <img src=x onerror=alert(1)> \nlast line"
        assert await log.locator("img").count() == 0
        pod.log = b"what came since\n"
        await log.get_by_text("what came since").wait_for()
        pod.log = b"and after that\n"
        await visit.page.get_by_role("button", name="Read it again").click()
        await log.get_by_text("and after that").wait_for()

    run(cluster, test)


def test_who_may_not_read_logs_reads_why() -> None:
    cluster, _ = a_cluster()
    cluster.pods.readers = set()

    async def test(visit: Visit) -> None:
        await visit.details("llama")
        await visit.page.get_by_role("button", name="Show the last lines").click()
        await visit.sees('cannot list resource "pods"')

    run(cluster, test)
