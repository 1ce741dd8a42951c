"""Hostile paths by grammar, and the tree in which they would do harm."""

import os
import random
import shutil
from pathlib import Path

_PLAIN = (
    "a",
    "model.bin",
    "config.json",
    "sub",
    "shards",
    "0",
    "x y",
    "模型",
    "é",
    "...",
    "..a",
    "-rf",
    "~",
    "$(id)",
)
_HOSTILE = (
    "..", ".", "", "..", "..", "\\", "..\\..", "C:", "C:\\x", "%2e%2e", "..%2f", "\u2024\u2024",
    "\uff0e\uff0e", "a\0b", "\0", "a\nb", "\x1b[2J",
    "\x7f", "\x85", "\u202egpj.exe", "\u200f", "\udcff", "\ud800",
    "x" * 255, "x" * 256, "ü" * 127, "ü" * 128, "\U0001f600" * 63, "\U0001f600" * 64,
    "CON", "nul.txt", "aux", "LPT1", "trail.", "trail ", "lost+found",
    ".modelsync", ".MODELSYNC", ".model\u017fync", ".ModelSync ", "manifest.json", ".cache",
    "link", "absolute", "loop", "dangling", "file", "foreign", "keep",
    "E\u0301", "\u00c9", "e\u0301", "ﬁ", "fi", "\u017f", "S", "s", "İ", "i\u0307",
)  # fmt: skip
_WHOLE = (
    "/etc/passwd", "//host/share", "/", "../canary/secret", "sub/../../canary/secret", "link/secret",
    "link/new", "absolute/secret", "dangling", "file", "loop/x", "foreign", "foreign/keep", "foreign/keep/x",
    "foreign/new", ".modelsync/manifest.json", ".modelsync/lock", "sub/.modelsync/x", "foreign/link/secret",
    "/".join(["d" * 200] * 6), "/".join(["d"] * 600), "a/" * 3 + "..", "x/" + "y" * 1021, "x/" + "y" * 255,
)  # fmt: skip


def path(generator: random.Random) -> str:
    """One path: some harmless, most not."""
    kind = generator.random()
    if kind < 0.15:
        return generator.choice(_WHOLE)
    parts = [
        generator.choice(_HOSTILE if generator.random() < 0.4 else _PLAIN)
        for _ in range(generator.randint(1, 5))
    ]
    if kind < 0.25:
        parts.insert(generator.randrange(len(parts) + 1), _noise(generator))
    return "/".join(parts)


def _noise(generator: random.Random) -> str:
    return "".join(chr(generator.randrange(0x110000)) for _ in range(generator.randint(1, 12)))


def paths(generator: random.Random) -> list[str]:
    """What a source lists: a few paths, perhaps with a twin in another case or form, or below another."""
    listed = [path(generator) for _ in range(generator.randint(1, 3))]
    twin = generator.choice(listed)
    match generator.randrange(8):
        case 0:
            listed.append(twin.swapcase())
        case 1:
            listed.append(f"{twin}/below")
    return list(dict.fromkeys(listed))


def plant(base: Path) -> Path:
    """Make the target below `base`, with foreign files and links out of it, beside a canary; gives the
    target."""
    shutil.rmtree(base, ignore_errors=True)
    target, canary = base / "volume", base / "canary"
    (target / "foreign").mkdir(parents=True)
    (canary / "deep").mkdir(parents=True)
    (canary / "secret").write_text("alive")
    (canary / "deep/secret").write_text("alive")
    (target / "foreign/keep").write_text("mine")
    (target / "foreign/link").symlink_to("../../canary")
    (target / "link").symlink_to("../canary")
    (target / "absolute").symlink_to(canary)
    (target / "file").symlink_to("../canary/secret")
    (target / "dangling").symlink_to("../canary/new")
    (target / "loop").symlink_to("loop")
    return target


_KEPT = ("foreign/keep", "foreign/link", "link", "absolute", "file", "dangling", "loop")


def fingerprint(base: Path) -> list[tuple[str, int, int, int, str]]:
    """All that must stay as it is: the canary with its directories, and what is foreign in the target."""
    watched = [base / "canary", base / "canary/deep", *(base / "volume" / name for name in _KEPT)]
    watched += [top / name for top in watched[:2] for name in sorted(os.listdir(top))]
    found = []
    for each in watched:
        there = os.lstat(each)
        led = os.readlink(each) if each.is_symlink() else ""
        found.append((str(each), there.st_ino, there.st_size, there.st_mtime_ns, led))
    return found
