#!/usr/bin/env python3
"""Start Chromium's headless shell without the kernel's messages about network interfaces.

A browser drops the requests that wait for a connection whenever an address of the machine changes
(ERR_NETWORK_CHANGED), and each Pod of the cluster beside it changes one. Chromium learns of it from a netlink
socket and takes the network as unchanged where it gets none (`AddressTrackerLinux::AbortAndForceOnline`).
What the page does when requests are dropped is tested by dropping them (tests/page/test_page.py).

The shell and not the browser with its windows, since that draws on an emulated graphics card: the same tests
take 19 s of processor time in place of 42 s.
"""

import errno
import os
import shutil
import socket
import sys

import pyseccomp

CHROMIUM = shutil.which("chromium-headless-shell") or "/usr/bin/chromium-headless-shell"


def main() -> None:
    """Become Chromium, with the arguments given."""
    rules = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    netlink = pyseccomp.Arg(0, pyseccomp.EQ, socket.AF_NETLINK)
    rules.add_rule(pyseccomp.ERRNO(errno.EAFNOSUPPORT), "socket", netlink)
    rules.load()
    os.execv(CHROMIUM, [CHROMIUM, *sys.argv[1:]])


if __name__ == "__main__":
    main()
