"""How much memory a hostile text takes once it is parsed.

A JSON or XML parser builds an object for as little as three bytes, so that 32 MiB of brackets become 700 MiB
of empty lists. Each value costs at least one of a few characters, though: counting these bounds the objects
before there is any. What stands in strings is counted as well, which a generous bound allows for.
"""

MOST_VALUES = 1_000_000
"""A Hub's information on 200,000 files has 400,000, a page of S3's largest listing 20,000. Measured, so many
values take 170 MiB at worst (objects in objects, elements with an attribute each), without their strings."""
_MARKS = (b"[", b"{", b",", b"<", b"=")


def values(text: bytes) -> int:
    """At least how many values a text of JSON or XML has; never fewer than a parser makes of it."""
    return sum(map(text.count, _MARKS))
