"""Whether a volume's locks reach every node, as its mount tells.

A lock that works on this node proves nothing about another one: NFS mounted with `nolock`, and most file
systems in user space, keep flock to the node. Who trusts such a lock takes the staging files of a worker that
is alive elsewhere, and that one then writes into files that are verified, or published, already.
"""

from pathlib import Path

_PROC = Path("/proc/self")
_FUSE_WITH_LOCKS = {"fuse.glusterfs", "fuse.juicefs", "fuse.ceph-fuse", "fuse.ceph"}
"""File systems in user space that keep flock on their servers."""
_NODE_ONLY = {"9p", "virtiofs"}


def locks_reach_all_nodes(descriptor: int) -> bool:
    """Whether flock on this volume is known to one node only: then False."""
    try:
        fdinfo = (_PROC / f"fdinfo/{descriptor}").read_text()
        mountinfo = (_PROC / "mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return True
    return not _keeps_locks(*mount_of(fdinfo, mountinfo))


def mount_of(fdinfo: str, mountinfo: str) -> tuple[str, set[str]]:
    """Type and options of the mount that a descriptor is in, from proc(5); empty where it is not listed."""
    wanted = next((line.split()[1] for line in fdinfo.splitlines() if line.startswith("mnt_id:")), "")
    for line in mountinfo.splitlines():
        head, _, tail = line.partition(" - ")
        fields, told = head.split(), tail.split()
        if fields[:1] == [wanted] and len(fields) > 5 and told:
            return told[0], {*fields[5].split(","), *(told[2].split(",") if len(told) > 2 else ())}
    return "", set()


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
