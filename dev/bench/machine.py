"""What the figures were measured on, in one line."""

import os
import platform
import re
from pathlib import Path


def described() -> str:
    """Processor, cores, memory, system."""
    processor = re.search(r"^model name\s*: (.+)", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    release = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    return (
        f"{os.cpu_count()} cores ({processor[1] if processor else platform.machine()}), {memory:.0f} GiB,"
        f" {release}, Linux {platform.release().split('-')[0]}, Python {platform.python_version()}"
    )


def load() -> float:
    """Processes that wanted a core, over the last minute."""
    return os.getloadavg()[0]
