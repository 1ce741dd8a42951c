"""Every picture of the documentation is there, small, described in words and used."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, name

FOLDER = ROOT / "docs" / "images"
MOST_BYTES = 150_000
_IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)]+)\)|<img alt=\"([^\"]*)\" src=\"([^\"]+)\"")
_SOURCE = re.compile(r"srcset=\"([^\"]+)\"")


def _images(page: Path) -> dict[Path, str]:
    """Pictures of a page with their words; another form of a picture has none of its own."""
    text = page.read_text(encoding="utf-8")
    found = {(page.parent / other).resolve(): "another form" for other in _SOURCE.findall(text)}
    for match in _IMAGE.finditer(text):
        words, target = (match[1], match[2]) if match[2] else (match[3], match[4])
        found[(page.parent / target).resolve()] = words
    return found


@pytest.mark.parametrize("page", [page for page in PAGES if _images(page)], ids=name)
def test_a_picture_is_there_small_and_described(page: Path) -> None:
    for path, words in _images(page).items():
        assert path.is_file(), path
        assert path.stat().st_size <= MOST_BYTES, path
        assert words, path


def test_no_picture_lies_about_unused() -> None:
    used = {path for page in PAGES for path in _images(page)}
    assert set(FOLDER.iterdir()) <= used
