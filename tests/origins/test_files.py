"""The fault origin itself: it computes its content, speaks three dialects, and does each fault as named."""

import hashlib
import http.client
import time
import urllib.request
from pathlib import Path

import pytest

from dev.origins import content, faults
from dev.origins.content import BLOCK, Fixed, Synthetic
from dev.origins.faults import rules, vocabulary
from dev.origins.faults.altered import Flipped, Spliced
from dev.origins.files.origin import Origin
from dev.origins.serving.messages import Object, Role
from modelsync.api.reasons import Reason
from tests.origins.syncs import KINDS, Sync

BIG = Synthetic(300_000, 1)
FILES: dict[str, bytes | content.Content | Object] = {
    "model.bin": BIG,
    "deep/config.json": Object(content=Fixed(b"{}"), lfs=False),
    "empty": b"",
}


def get(url: str, **headers: str) -> tuple[int, http.client.HTTPMessage, bytes]:
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
        return answer.status, answer.headers, answer.read()


def test_a_terabyte_costs_nothing_and_no_two_blocks_are_the_same() -> None:
    huge = Synthetic(10**12, 7)
    blocks = {bytes(next(huge.pieces(number * BLOCK, number * BLOCK + 64))) for number in range(5000)}
    assert len(blocks) == 5000
    assert len(b"".join(huge.pieces(10**12 - 3 * BLOCK, 10**12))) == 3 * BLOCK


def test_a_gigabyte_is_computed_within_a_second() -> None:
    started = time.monotonic()
    assert sum(len(piece) for piece in Synthetic(1 << 30, 1).pieces(0, 1 << 30)) == 1 << 30
    assert time.monotonic() - started < 1


def test_any_range_is_the_same_part_of_the_whole() -> None:
    whole = content.read(Synthetic(3 * BLOCK + 5, 3))
    for start, end in [(0, 1), (BLOCK - 1, BLOCK + 1), (5, 3 * BLOCK + 5), (2 * BLOCK, 2 * BLOCK)]:
        assert b"".join(Synthetic(3 * BLOCK + 5, 3).pieces(start, end)) == whole[start:end]


def test_flips_and_splices_change_what_they_say() -> None:
    plain = content.read(BIG)
    flipped = content.read(Flipped(BIG, 70_000))
    assert [at for at in range(len(plain)) if plain[at] != flipped[at]] == [70_000]
    spliced = content.read(Spliced(BIG, Synthetic(BIG.size, 2), 10))
    assert spliced[:10] == plain[:10] and spliced[10:] == content.read(Synthetic(BIG.size, 2))[10:]


@pytest.mark.parametrize("kind", KINDS)
def test_the_worker_syncs_from_each_dialect(tmp_path: Path, kind: str) -> None:
    with Origin(FILES) as origin:
        origin.page_size = 2
        sync = Sync(origin=origin, volume=tmp_path, kind=kind)
        end = sync.run()
        assert end.reason is Reason.SYNCED, end.message
        assert set(end.published) == set(FILES) and sync.wrong() == []
        assert origin.log.sent() == BIG.size + 2


@pytest.mark.parametrize(("kind", "most"), [("hub", 8), ("s3", 8), ("web", 4)])
def test_the_worker_uses_its_connections_again(tmp_path: Path, kind: str, most: int) -> None:
    with Origin({f"{number}.bin": Synthetic(1000, number) for number in range(30)}) as origin:
        sync = Sync(origin=origin, volume=tmp_path, kind=kind, connections=2)
        assert sync.run().reason is Reason.SYNCED
        assert origin.accepted <= most


def test_faults_in_the_url_begin_again_for_each_prefix() -> None:
    with Origin(FILES) as origin:
        for prefix in ("status=503@2", "status=503@2x*"):
            url = f"{origin.url}/f/{prefix}/web/model.bin"
            assert get(url)[2] == content.read(BIG)
            with pytest.raises(urllib.error.HTTPError, match="503"):
                get(url)
        assert origin.log.entries(role=Role.DATA, path="model.bin")[1].faults == ["status=503@2"]


def test_a_cut_at_a_share_of_the_file_sends_exactly_so_much() -> None:
    with Origin(FILES) as origin:
        with pytest.raises(http.client.IncompleteRead):
            get(f"{origin.url}/f/cut@10%/web/model.bin")
        assert origin.log.sent("model.bin") == 30_000
        assert get(f"{origin.url}/f/cut@10%/web/model.bin", Range="bytes=30001-")[0] == 206


def test_a_flip_damages_one_bit_and_a_swap_keeps_the_size() -> None:
    with Origin(FILES) as origin:
        right = hashlib.sha256(content.read(BIG)).digest()
        for fault in ("flip@50%", "hybrid@50%", "old", "misplaced", "replace=quiet"):
            data = get(f"{origin.url}/f/{fault}/web/model.bin")[2]
            assert len(data) == BIG.size and hashlib.sha256(data).digest() != right


def test_an_if_range_of_another_object_gets_the_whole() -> None:
    with Origin(FILES) as origin:
        url = f"{origin.url}/web/model.bin"
        tag = get(url)[1]["ETag"]
        assert get(url, **{"Range": "bytes=5-9", "If-Range": tag})[0] == 206
        assert get(url, **{"Range": "bytes=5-9", "If-Range": '"x"'})[0] == 200


@pytest.mark.parametrize("text", ["nonsense", "cut@", "cut@5%@1x", "elsewhere:cut", "CUT"])
def test_a_word_that_is_no_fault_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        rules.parse(text)


@pytest.mark.parametrize("name", vocabulary.BY_NAME)
def test_every_fault_is_in_the_table_and_is_the_same_as_text(name: str) -> None:
    table = (Path(rules.__file__).parents[1] / "README.md").read_text()
    fault = vocabulary.BY_NAME[name]()
    assert f"| `{name}` | `{type(fault).__name__}` |" in table
    assert rules.parse(str(fault)).faults == (fault,)


TEXTS = {
    "cut=5x3": faults.Rule(faults=(faults.Cut(5),), path="*", times=3),
    "head:status=403x*": faults.Rule(
        faults=(faults.Status(403),), path="*", role=Role.HEAD, times=faults.ALWAYS
    ),
    "any:header=ETag:W/%40%25@2x1": faults.Rule(
        faults=(faults.Header("ETag", "W/@%"),), path="*", role=faults.ANY, first=2
    ),
    "redirect=http://h:1/x1x1": faults.Rule(faults=(faults.Redirect("http://h:1/x1"),), path="*"),
}


@pytest.mark.parametrize("text", TEXTS)
def test_a_rule_of_values_is_written_as_text_that_is_read_as_the_same(text: str) -> None:
    assert TEXTS[text].text == text
    assert rules.parse(text) == TEXTS[text]
