"""The written pages use the words that engineers expect (STYLE.md has the pairs)."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, name

WORDS = {
    r"tells?|told|telling": "report, return, say, show",
    r"tells? apart|told apart": "distinguish",
    "whoever": "anyone who",
    "anew": "again, from scratch",
    "heed(s|ed)?": "use, read, respect",
    "goes? on by itself": "continues automatically",
    "ordinary course": "no action needed",
    "for ever": "indefinitely",
    "out of reach": "unreachable",
    "small letters": "lower case",
    "certification authorit(y|ies)": "CA certificates",
}


def _is_generated(page: Path) -> bool:
    """Whether its words are those of the code, or of the names of cases."""
    made = "Made by" in page.read_text(encoding="utf-8")
    return made or page.name in ("attacks.md", "faults.md")


@pytest.mark.parametrize(
    "page",
    [page for page in [*PAGES, ROOT / "CHANGELOG.md"] if not _is_generated(page)],
    ids=name,
)
def test_words_are_those_of_the_field(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    if page.name == "STYLE.md":
        text = re.sub(r"(?m)^\|.*\|$", "", text)
    found = [
        f"{match[0]} (write: {better})"
        for word, better in WORDS.items()
        for match in re.finditer(rf"\b({word})\b", text, re.IGNORECASE)
    ]
    assert found == []
