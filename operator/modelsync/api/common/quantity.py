"""Kubernetes quantities as numbers of bytes.

Only what byte quantities need of k8s.io/apimachinery's `resource.Quantity`: a decimal number with a
binary suffix (Ki … Ei), a decimal one (n, u, m, k, M … E) or an exponent. Fractions of a byte round up,
as `Quantity.Value()` does.
"""

import re
from decimal import ROUND_CEILING, Decimal

MAXIMUM = 2**63 - 1
"""More than that is this much, as in Kubernetes."""
LEAST_RATE = 1000
"""Bytes per second of the lowest limit: below that, a time-out ends each request before its first block."""
RATE_RULE = "must be a quantity of at least 1k bytes per second, such as 50M (M is mega, m is milli)"
_DIGITS = 30
_SUFFIXES = {
    "": Decimal(1),
    **{s: Decimal(1000) ** p for p, s in ((-3, "n"), (-2, "u"), (-1, "m"), (1, "k"))},
    **{s: Decimal(1000) ** p for p, s in ((2, "M"), (3, "G"), (4, "T"), (5, "P"), (6, "E"))},
    **{s: Decimal(1024) ** p for p, s in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)},
}
_QUANTITY = re.compile(r"([+-]?[0-9]+(?:\.[0-9]*)?|[+-]?\.[0-9]+)(?:([eE][+-]?[0-9]+)|([A-Za-z]*))\Z")


def parse_rate(text: str) -> int:
    """The bytes per second of a limit, as the schema takes one; raises ValueError with the rule."""
    try:
        rate = parse_bytes(text)
    except ValueError:
        rate = 0
    if rate < LEAST_RATE:
        raise ValueError(RATE_RULE)
    return rate


def parse_bytes(text: str) -> int:
    """The number of bytes in a quantity such as `500M`, `1.5Gi` or `2e9`, at most MAXIMUM.

    Raises ValueError with a message for users when the text is not a quantity.
    """
    return min(int(parse(text).to_integral_value(rounding=ROUND_CEILING)), MAXIMUM)


def parse(text: str) -> Decimal:
    """The number in a quantity such as `500m` or `1.5Gi`; what is far beyond MAXIMUM is that.

    Raises ValueError with a message for users when the text is not a quantity.
    """
    match = _QUANTITY.match(text)
    if match is None or (match[3] or "") not in _SUFFIXES:
        raise ValueError(f"{text!r} is not a quantity; write for example 500M or 1Gi")
    number, exponent, suffix = match.groups()
    value = Decimal(number + (exponent or ""))
    if value.adjusted() > _DIGITS:
        # An exponent costs nothing to write and minutes to compute.
        return Decimal(MAXIMUM if value > 0 else -MAXIMUM)
    return value * _SUFFIXES[suffix or ""]
