"""Files take the names that their servers give them, where these are safe and nobody named them otherwise."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dev.origins.files.origin import Origin
from modelsync.worker.common import names
from modelsync.worker.sources.disposition import name_of
from tests.worker.test_pull import pull

MODEL = "%E6%A8%A1.gguf"
NAMES = {
    "quoted": ('attachment; filename="model.safetensors"', "model.safetensors"),
    "a token": ("attachment; filename=model.bin", "model.bin"),
    "inline": ('inline; filename="model.bin";', "model.bin"),
    "a blank": ('attachment; filename="my model.bin"', "my model.bin"),
    "encoded": ("attachment; filename*=UTF-8''m%20%E6%A8%A1.gguf", "m 模.gguf"),
    "encoded, a poorer one before": (f"attachment; filename=m.gguf; filename*=UTF-8''{MODEL}", "模.gguf"),
    "encoded, a poorer one behind": (f"inline; filename*=UTF-8''{MODEL}; filename=m.gguf;", "模.gguf"),
    "UTF-8 as it is": ("attachment; filename=\"模.bin\"".encode().decode("latin-1"), "模.bin"),
    "Latin-1 as it is": ('attachment; filename="für.bin"', "für.bin"),
    "in pieces": ('attachment; filename*0="model."; filename*1="bin"', "model.bin"),
    "in upper case": ('ATTACHMENT; FILENAME="model.bin"', "model.bin"),
    "a path": ('attachment; filename="/models/llama/model.bin"', "model.bin"),
    "a way out": ('attachment; filename="../../etc/cron.d/x"', "x"),
    "a way out, encoded": ("attachment; filename*=UTF-8''..%2F..%2Fx", "x"),
    "a way out of Windows": ('attachment; filename="..\\\\..\\\\x.bin"', "x.bin"),
    "the directory above": ('attachment; filename=".."', None),
    "a hidden file": ('attachment; filename=".bashrc"', None),
    "our own directory": ('attachment; filename=".ModelSync"', None),
    "a path that ends in a slash": ('attachment; filename="x/"', None),
    "a line end": ("attachment; filename*=UTF-8''a%0Ab", None),
    "a zero": ("attachment; filename*=UTF-8''a%00b", None),
    "a change of direction": ("attachment; filename*=UTF-8''a%E2%80%AEnib.b", None),
    "too long": (f'attachment; filename="{"a" * 256}"', None),
    "empty": ('attachment; filename=""', None),
    "no name": ("attachment", None),
    "nothing": ("", None),
}  # fmt: skip


@pytest.mark.parametrize(("header", "expected"), NAMES.values(), ids=NAMES)
def test_a_header_gives_a_safe_name_or_none(header: str, expected: str | None) -> None:
    assert name_of(header) == expected


@given(st.text(st.characters(max_codepoint=255), max_size=80), st.booleans())
def test_whatever_a_header_holds_the_name_is_one_of_a_file_here(text: str, encoded: bool) -> None:
    name = name_of(f"attachment; filename{'*=utf-8' + chr(39) * 2 if encoded else '='}{text}")
    assert name is None or (names.problem(name) is None and "/" not in name and not name.startswith("."))


PULLED = {
    "its name": ("download", ("--json",), "model.safetensors"),
    "no last part": ("get/", ("--json",), "model.safetensors"),
    "the user's own": ("download", ("--name", "a/b.bin"), "a/b.bin"),
}


@pytest.mark.parametrize(("path", "more", "expected"), PULLED.values(), ids=PULLED)
def test_pull_names_a_file_as_its_server_does(
    tmp_path: Path, path: str, more: tuple[str, ...], expected: str
) -> None:
    with Origin({path: b"weights"}) as origin:
        origin.strike(path, 'header=Content-Disposition:attachment; filename="../model.safetensors"x*')
        done = pull(f"{origin.url}/web/{path}?signature=x", "--to", tmp_path / "to", *more)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "to" / expected).read_bytes() == b"weights"
    assert not (tmp_path / "model.safetensors").exists()


def test_an_address_without_a_name_needs_one(tmp_path: Path) -> None:
    with Origin({"get/": b"weights"}) as origin:
        done = pull(f"{origin.url}/web/get/", "--to", tmp_path)
    assert done.returncode == 10
    assert "--name" in done.stderr


def test_two_addresses_of_one_name_are_refused(tmp_path: Path) -> None:
    with Origin({"1": b"weights", "2": b"WEIGHTS"}) as origin:
        for path in origin.files:
            origin.strike(path, "header=Content-Disposition:attachment; filename=model.binx*")
        done = pull(f"{origin.url}/web/1", f"{origin.url}/web/2", "--to", tmp_path)
    assert done.returncode == 10
    assert "both lead to model.bin" in done.stderr
