"""Workers that are killed, stopped, or started twice: real processes on a real directory."""

import contextlib
import json
import os
import random
import signal
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.origins.content import hexdigest, noise
from dev.origins.faults import ALWAYS, Slow, Stall, Status
from dev.origins.files.web import WebOrigin
from modelsync.api import exitcodes, naming, protocol
from modelsync.api.reasons import Reason, Stage
from modelsync.worker.storage import journal
from tests.worker import forked
from tests.worker.syncs import CHUNK, Sync, files_in

CONNECTIONS = 4
BIG = noise(120 * CHUNK + 17)
FILES = {"model.bin": BIG, "config.json": b"{}", "part/2.bin": noise(5 * CHUNK, "2")}
TOTAL = sum(map(len, FILES.values()))


class Worker:
    """A worker process of one origin and directory."""

    def __init__(self, origin: WebOrigin, directory: Path, *, digests: bool = True, port: int = 0) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.volume, self.termination = directory / "volume", directory / "termination"
        self.volume.mkdir(exist_ok=True)
        sync = Sync(origin, self.volume, connections=CONNECTIONS)
        (directory / "request.json").write_text(sync.request().dump_json())
        files = [
            (path, found.content.size, hexdigest(found.content, "sha256") if digests else None)
            for path, found in origin.files.items()
        ]
        (directory / "listing.json").write_text(json.dumps({"url": origin.url, "files": files}))
        self._arguments = [
            "subject",
            *(str(directory / name) for name in ("request.json", "listing.json")),
            str(self.volume),
            str(self.termination),
            str(port),
            "secret-key",
        ]

    def start(self) -> forked.Program:
        return forked.Program(forked.SUBJECT, self._arguments, os.environ)

    def finish(self) -> int:
        with self.start() as process:
            return process.wait(120)

    def words(self) -> protocol.TerminationReport:
        return protocol.TerminationReport.model_validate_json(self.termination.read_bytes())

    def content(self) -> dict[str, bytes]:
        target = self.volume / "model"
        return {path: (target / path).read_bytes() for path in files_in(target)}


@pytest.fixture
def origin() -> Iterator[WebOrigin]:
    with WebOrigin(FILES) as server:
        yield server


def wait_sent(origin: WebOrigin, count: int) -> None:
    deadline = time.monotonic() + 90
    while origin.log.sent() < count:
        assert time.monotonic() < deadline, "the origin was not asked"
        time.sleep(0.005)


def test_kill_9_costs_at_most_a_chunk_a_connection_each_time(origin: WebOrigin, tmp_path: Path) -> None:
    """Ten kills at random instants of one download; nothing is published before the end."""
    generator = random.Random(5)
    origin.strike("*", Slow(100 * CHUNK), times=ALWAYS)
    worker = Worker(origin, tmp_path)
    kills = 10
    for _ in range(kills):
        before = origin.log.sent()
        with worker.start() as process:
            wait_sent(origin, before + generator.randrange(CHUNK, TOTAL // kills))
            process.kill()
        assert worker.content() == {}
    origin.clear()
    assert worker.finish() == exitcodes.DONE
    assert worker.content() == FILES
    # What the kernel held for a dead process was sent but never received: a block more a connection.
    lost = kills * 2 * CHUNK * CONNECTIONS
    assert origin.log.sent() - TOTAL <= lost
    progress = worker.words().progress
    received = progress.bytes_network + (progress.bytes_network_before or 0)
    assert TOTAL <= received <= origin.log.sent() <= received + lost
    assert progress.bytes_reused == 0


def test_journaled_bytes_are_never_asked_for_again(origin: WebOrigin, tmp_path: Path) -> None:
    origin.strike("*", Slow(100 * CHUNK), times=ALWAYS)
    worker = Worker(origin, tmp_path)
    with worker.start() as process:
        wait_sent(origin, TOTAL // 2)
        process.kill()
    (staging,) = (worker.volume / "model/.modelsync/uid-1/staging").iterdir()
    entries = journal.read((staging / "journal").read_bytes(), journal.boot_id())
    recorded = sum(entry.ranges.total for entry in entries.values())
    before = origin.log.sent()
    origin.clear()
    assert worker.finish() == exitcodes.DONE
    assert recorded >= TOTAL // 2 - 6 * CHUNK * CONNECTIONS
    assert origin.log.sent() - before == TOTAL - recorded


def test_a_garbled_journal_or_staging_file_never_reaches_the_target(
    origin: WebOrigin, tmp_path: Path
) -> None:
    origin.strike("*", Slow(100 * CHUNK), times=ALWAYS)
    worker = Worker(origin, tmp_path)
    generator = random.Random(8)
    for _ in range(4):
        with worker.start() as process:
            wait_sent(origin, origin.log.sent() + TOTAL // 6)
            process.kill()
        (staging,) = (worker.volume / "model/.modelsync/uid-1/staging").iterdir()
        for path in staging.iterdir():
            content = bytearray(path.read_bytes())
            if content:
                content[generator.randrange(len(content))] ^= 0xFF
                path.write_bytes(content)
    origin.clear()
    assert worker.finish() == exitcodes.DONE
    assert worker.content() == FILES


def test_sigterm_ends_it_and_nothing_is_fetched_twice(origin: WebOrigin, tmp_path: Path) -> None:
    origin.strike("*", Slow(50 * CHUNK), times=ALWAYS)
    worker = Worker(origin, tmp_path)
    with worker.start() as process:
        wait_sent(origin, TOTAL // 3)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == exitcodes.INTERRUPTED
    first = worker.words()
    origin.clear()
    assert worker.finish() == exitcodes.DONE
    second = worker.words()
    assert first.reason is Reason.INTERRUPTED
    assert second.progress.bytes_network_before == first.progress.bytes_network == first.progress.bytes_done
    assert first.progress.bytes_network + second.progress.bytes_network == TOTAL
    assert second.progress.bytes_reused == 0


def test_two_workers_on_one_target_publish_right_bytes(origin: WebOrigin, tmp_path: Path) -> None:
    origin.strike("*", Slow(200 * CHUNK), times=ALWAYS)
    worker = Worker(origin, tmp_path)
    with worker.start() as first, worker.start() as second:
        codes = {first.wait(120), second.wait(120)}
    assert codes == {exitcodes.DONE}
    assert worker.content() == FILES
    assert origin.log.sent() == TOTAL


def test_a_worker_that_does_not_end_keeps_the_target_to_itself(origin: WebOrigin, tmp_path: Path) -> None:
    origin.strike("*", Stall(), times=ALWAYS)
    worker = Worker(origin, tmp_path)
    with worker.start() as process:
        wait_requests(origin)
        other = Sync(origin, worker.volume)
        with pytest.raises(Exception, match="Another worker"):
            other.run()
        process.kill()


def wait_requests(origin: WebOrigin) -> None:
    deadline = time.monotonic() + 90
    while not origin.log:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_reader_never_sees_a_part_of_a_file(origin: WebOrigin, tmp_path: Path) -> None:
    origin.strike("*", Slow(500 * CHUNK), times=ALWAYS)
    worker = Worker(origin, tmp_path)
    target, seen = worker.volume / "model", 0
    with worker.start() as process:
        while process.poll() is None:
            for path, data in FILES.items():
                with contextlib.suppress(FileNotFoundError):
                    assert (target / path).read_bytes() == data
                    seen += 1
            if (target / ".modelsync/manifest.json").exists():
                assert worker.content() == FILES
            time.sleep(0.001)
    assert process.returncode == exitcodes.DONE


def test_progress_is_shown_and_the_limit_taken_for_the_key_alone(origin: WebOrigin, tmp_path: Path) -> None:
    origin.strike("*", Slow(50 * CHUNK), times=ALWAYS)
    with contextlib.closing(free_port()) as listener:
        port = listener.getsockname()[1]
    worker = Worker(origin, tmp_path, port=port)
    url = f"http://127.0.0.1:{port}"
    with worker.start() as process:
        wait_sent(origin, TOTAL // 4)
        report = protocol.ProgressReport.model_validate(ask(f"{url}/progress", "secret-key"))
        assert (report.uid, report.stage) == ("uid-1", Stage.DOWNLOADING)
        assert 0 < report.progress.bytes_done < TOTAL == report.progress.bytes_total
        assert report.volume is not None
        assert any(file.path == "model.bin" for file in report.files)
        assert sum(file.bytes_done for file in report.files) <= report.progress.bytes_done
        assert status(f"{url}/progress", "wrong") == 403
        assert status(f"{url}/progress", "") == 403
        assert status(f"{url}/other", "secret-key") == 404
        ask(f"{url}/limit", "secret-key", b'{"bytesPerSecond": 5000000}')
        after = protocol.ProgressReport.model_validate(ask(f"{url}/progress", "secret-key"))
        assert after.bandwidth_limit == 5_000_000
        assert status(f"{url}/limit", "secret-key", b'{"bytesPerSecond": 0}') == 422
        process.kill()


def free_port() -> socket.socket:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    return listener


def request_for(url: str, key: str, body: bytes | None) -> urllib.request.Request:
    headers = {naming.KEY_HEADER: key} if key else {}
    return urllib.request.Request(url, data=body, headers=headers, method="PUT" if body else "GET")


def ask(url: str, key: str, body: bytes | None = None) -> object:
    with urllib.request.urlopen(request_for(url, key, body), timeout=5) as answer:
        return json.loads(answer.read())


def status(url: str, key: str, body: bytes | None = None) -> int:
    try:
        with urllib.request.urlopen(request_for(url, key, body), timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_figures_begin_where_the_killed_worker_stood(origin: WebOrigin, tmp_path: Path) -> None:
    """All that was journaled counts at once, also of files whose turn has not come."""
    worker = Worker(origin, tmp_path)
    origin.strike("part/2.bin", Status(500), times=ALWAYS)
    assert worker.finish() == exitcodes.BY_REASON[Reason.ORIGIN_ERROR]
    had = worker.words().progress.bytes_done
    assert len(BIG) <= had < TOTAL
    origin.clear()
    origin.strike("*", Stall(), times=ALWAYS)
    seen: list[int] = []
    sync = Sync(origin, worker.volume, connections=1)

    asked = len(origin.log)

    def look() -> None:
        while len(origin.log) == asked:
            time.sleep(0.01)
        seen.append(sync.state.progress().bytes_done)
        origin.clear()

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    sync.run()
    watcher.join()
    assert seen == [had]
