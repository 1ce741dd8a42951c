"""What somebody finds in the image who got into a worker or the operator."""

import re
import shutil
from collections.abc import Iterator

from dev.image import builder
from tests.attacks.case import Attack, Ground, Outcome
from tests.image import contents

SHELLS = ("sh", "bash", "dash", "busybox", "perl", "awk")
PACKAGES = ("apt", "apt-get", "dpkg", "pip", "pip3")
USERS = ("su", "sudo", "passwd", "chsh", "newgrp", "mount", "umount", "nsenter", "unshare")
OTHERS = (
    "curl",
    "wget",
    "git",
    "ssh",
    "openssl",
    "gcc",
    "cc",
    "make",
    "gdb",
    "ldd",
    "ldconfig",
    "tar",
    "cat",
    "ls",
)


def tools(full: bool) -> Iterator[Outcome]:
    """A shell, a package manager, a way to become another user, or any other program."""
    if shutil.which("buildah") is None:
        return
    built = contents.built()
    for name in (*SHELLS, *PACKAGES, *USERS, *OTHERS):
        found = [path for path in built.files if re.fullmatch(rf"(?:.*/)?s?bin/{re.escape(name)}", path)]
        yield f"the program {name}", ", ".join(found)
    more = built.programs - contents.PROGRAMS
    yield "any other program", ", ".join(sorted(more))
    yield "files that run as another user, devices, files that all may write", ", ".join(built.privileged)


def base(full: bool) -> Iterator[Outcome]:
    """Another base under the same tag."""
    text = (builder.ROOT / "Dockerfile").read_text(encoding="utf-8")
    named = re.search(r"^ARG BASE=\S+@sha256:[0-9a-f]{64}$", text, re.MULTILINE)
    yield "the default base", "" if named else "it is named by its tag alone"


ATTACKS = (
    Attack(topic="image", name="programs to go on with", how=Ground.CODE, run=tools, in_tests=False),
    Attack(topic="image", name="a base that changes under its tag", how=Ground.CODE, run=base),
)
