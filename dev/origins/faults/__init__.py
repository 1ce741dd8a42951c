"""One vocabulary of faults for every origin of our own: what can go wrong, and with which requests.

    origin.strike("model.bin", Status(503), Header("Retry-After", "0"), times=2)
    origin.strike("model.bin", "cut@10%", "head:status=403x*")

The README of `dev/origins` has the table of all of them.
"""

from dev.origins.faults.bodies import (
    Extra,
    Flip,
    Gzip,
    Html,
    Hybrid,
    Invert,
    Misplaced,
    Multipart,
    Shift,
    Truncate,
    Whole,
)  # fmt: skip
from dev.origins.faults.connections import (
    Cut,
    Drop,
    IdleClose,
    Late,
    Reset,
    Silent,
    Slow,
    SlowHead,
    Stall,
)  # fmt: skip
from dev.origins.faults.fault import Fault
from dev.origins.faults.heads import (
    Chunked,
    EtagSwap,
    Expire,
    Header,
    Length,
    NegativeLength,
    Redirect,
    Status,
    WeakEtag,
)  # fmt: skip
from dev.origins.faults.rules import ALWAYS, ANY, Rule
from dev.origins.faults.versions import Old, Replace

__all__ = [
    "ALWAYS", "ANY", "Chunked", "Cut", "Drop", "EtagSwap", "Expire", "Extra", "Fault", "Flip", "Gzip",
    "Header", "Html", "Hybrid", "IdleClose", "Invert", "Late", "Length", "Misplaced", "Multipart",
    "NegativeLength", "Old", "Redirect", "Replace", "Reset", "Rule", "Shift", "Silent", "Slow", "SlowHead",
    "Stall", "Status", "Truncate", "WeakEtag", "Whole",
]  # fmt: skip
