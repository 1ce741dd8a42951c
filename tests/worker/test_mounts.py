"""Which mounts keep their locks to the node, from what the kernel says of them."""

import os
from pathlib import Path

import pytest

from modelsync.worker.storage import mount_info

FDINFO = "pos:\t0\nflags:\t0200000\nmnt_id:\t77\nino:\t5\n"
ROOT = "21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw"
MOUNTS = {
    "ext4": ("ext4 /dev/sdb rw", True),
    "tmpfs": ("tmpfs none rw", True),
    "nfs4": ("nfs4 server:/export rw,vers=4.2,local_lock=none", True),
    "nfs with nolock": ("nfs server:/export rw,nolock,local_lock=all", False),
    "nfs with local flock": ("nfs server:/export rw,vers=3,local_lock=flock", False),
    "nfs with local posix locks": ("nfs server:/export rw,vers=3,local_lock=posix", True),
    "cephfs": ("ceph mon:/ rw", True),
    "lustre with flock": ("lustre mgs:/fs rw,flock", True),
    "lustre with localflock": ("lustre mgs:/fs rw,localflock", False),
    "cifs": ("cifs //server/share rw", True),
    "cifs with nobrl": ("cifs //server/share rw,nobrl", False),
    "a file system in user space": ("fuse.gcsfuse bucket rw", False),
    "glusterfs": ("fuse.glusterfs server:/v rw", True),
    "9p": ("9p host rw", False),
}


@pytest.mark.parametrize(("mount", "reach"), MOUNTS.values(), ids=MOUNTS)
def test_a_mount_says_how_far_its_locks_reach(mount: str, reach: bool) -> None:
    line = f"77 21 0:44 / /volume rw,nosuid shared:3 - {mount}"
    found = mount_info.mount_of(FDINFO, f"{ROOT}\n{line}\n")
    assert found[0] == mount.split()[0]
    assert mount_info._keeps_locks(*found) is not reach


def test_an_unlisted_mount_is_trusted(tmp_path: Path) -> None:
    assert mount_info.mount_of(FDINFO, ROOT) == ("", set())
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        assert mount_info.locks_reach_all_nodes(mount_info.mount(descriptor))
    finally:
        os.close(descriptor)
