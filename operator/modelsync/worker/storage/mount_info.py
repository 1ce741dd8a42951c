"""What a volume's mount says of it: how far its locks reach, and how files are best written.

A lock that works on this node proves nothing about another one: NFS mounted with `nolock`, and most file
systems in user space, keep flock to the node. Who trusts such a lock takes the staging files of a worker that
is alive elsewhere, and that one then writes into files that are verified, or published, already.
"""

from pathlib import Path
from typing import NamedTuple

_PROC = Path("/proc/self")
_FUSE_WITH_LOCKS = {"fuse.glusterfs", "fuse.juicefs", "fuse.ceph-fuse", "fuse.ceph"}
"""File systems in user space that keep flock on their servers."""
_NODE_ONLY = {"9p", "virtiofs"}
_DIRECT = {"ext2", "ext3", "ext4", "xfs"}
"""File systems whose O_DIRECT writes were faster than buffered ones; on a network's they are not."""


class Mount(NamedTuple):
    """Type of a file system and the options it is mounted with; empty where the kernel does not list it."""

    kind: str
    options: set[str]


def mount(descriptor: int) -> Mount:
    """The mount that a descriptor is in; raises nothing."""
    try:
        fdinfo = (_PROC / f"fdinfo/{descriptor}").read_text()
        mountinfo = (_PROC / "mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return Mount("", set())
    return mount_of(fdinfo, mountinfo)


def locks_reach_all_nodes(mount: Mount) -> bool:
    """Whether flock on this volume is known to one node only: then False."""
    return not _keeps_locks(*mount)


def direct_writes(mount: Mount) -> bool:
    """Whether files here are better written past the page cache (O_DIRECT)."""
    return mount.kind in _DIRECT


def reserves(mount: Mount) -> bool:
    """Whether reserving blocks is cheap here; a tmpfs fills them with zeros at once, and all wait for it."""
    return mount.kind != "tmpfs"


def mount_of(fdinfo: str, mountinfo: str) -> Mount:
    """The mount of a descriptor, from the texts of proc(5); empty where it is not listed."""
    wanted = next((line.split()[1] for line in fdinfo.splitlines() if line.startswith("mnt_id:")), "")
    for line in mountinfo.splitlines():
        head, _, tail = line.partition(" - ")
        fields, options = head.split(), tail.split()
        if fields[:1] == [wanted] and len(fields) > 5 and options:
            return Mount(
                options[0], {*fields[5].split(","), *(options[2].split(",") if len(options) > 2 else ())}
            )
    return Mount("", set())


def _keeps_locks(kind: str, options: set[str]) -> bool:
    """Whether this file system keeps flock to the node."""
    match kind:
        case "nfs" | "nfs4":
            return bool(options & {"nolock", "local_lock=all", "local_lock=flock"})
        case "lustre":
            return "flock" not in options
        case "cifs" | "smb3":
            return "nobrl" in options
    return kind in _NODE_ONLY or (kind.startswith("fuse") and kind not in _FUSE_WITH_LOCKS | {"fuseblk"})
