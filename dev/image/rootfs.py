"""The root of the image: Python, the libraries that it and the installed packages load, and certificates.

    python3 rootfs.py ENVIRONMENT ROOT

Runs in a stage of the Dockerfile, on Debian, and copies from that stage's own files to ROOT what ENVIRONMENT
(a virtual environment) needs to run. No shell, no package manager and no other program gets there, and what
those that are copied may do to a kernel by their mode bits (setuid) is dropped. As in distroless images, the
packages behind the files stay described in /var/lib/dpkg/status.d, so that scanners find them.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

USER = 65532
UNUSED = ("ensurepip", "idlelib", "lib2to3", "pydoc_data", "test", "tkinter", "turtledemo", "site-packages")
"""Of Python's own library; packages are in the environment, and pip is not among them."""
LINKED = ("/etc/ssl/certs", "/usr/share/ca-certificates")
"""Directories whose links stay links: each authority has two more names there."""
LINKS = ("/usr/lib/ssl/cert.pem", "/usr/lib/ssl/certs", "/usr/lib/ssl/openssl.cnf")
"""Where OpenSSL looks, and what leads to /etc/ssl."""
FILES = (
    "/etc/ssl/openssl.cnf",
    "/etc/ld.so.cache",
    "/etc/debian_version",
    "/usr/lib/os-release",
    "/etc/nsswitch.conf",
)
LOADED = ("libgcc_s.so.1", "libnss_dns.so.2", "libnss_files.so.2")
"""What glibc loads by itself: for threads that end, and to look names up."""
MERGED = ("bin", "lib", "lib64", "sbin")
PASSWD = "root:x:0:0:root:/:/nonexistent\nmodelsync:x:{user}:{user}:modelsync:/tmp:/nonexistent\n"


class Root:
    """What is copied so far."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sources: set[str] = set()
        """The real path of each file."""

    def file(self, path: str) -> None:
        """A file by the name that it is asked for, with the bytes behind its links."""
        real = os.path.realpath(path)
        there = self.folder / os.path.realpath(os.path.dirname(path)).lstrip("/") / os.path.basename(path)
        if os.path.isfile(real) and not there.exists():
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(real, there)
            there.chmod(0o755 if os.access(real, os.X_OK) and not real.endswith(".py") else 0o644)
            self.sources.add(real)

    def tree(self, path: str, unused: Iterable[str] = ()) -> None:
        """A directory, or a file; links in LINKED stay links."""
        if os.path.isfile(path):
            self.file(path)
        for folder, names, files in os.walk(path):
            names[:] = sorted(name for name in names if name not in unused and not name.startswith("config-"))
            for name in [*files, *(name for name in names if os.path.islink(os.path.join(folder, name)))]:
                each = os.path.join(folder, name)
                if os.path.islink(each) and path in LINKED:
                    self.link(each)
                else:
                    self.file(each)

    def link(self, path: str) -> None:
        """A link as it is."""
        if os.path.islink(path):
            there = self.folder / path.lstrip("/")
            there.parent.mkdir(parents=True, exist_ok=True)
            there.symlink_to(os.readlink(path))
            self.sources.add(path)


def libraries(files: list[str]) -> Iterator[str]:
    """What the dynamic loader brings for programs and libraries, itself included."""
    for begin in range(0, len(files), 100):
        done = subprocess.run(
            ["ldd", *files[begin : begin + 100]], capture_output=True, text=True, check=False
        )
        for line in done.stdout.splitlines():
            words = line.strip().removesuffix(")").split()
            if "=>" in words and words[2].startswith("/"):
                yield words[2]
            elif len(words) == 2 and words[0].startswith("/") and words[1].startswith("("):
                yield words[0]


def binaries(*folders: Path) -> list[str]:
    """All shared libraries below."""
    return [str(path) for folder in folders for path in folder.rglob("*.so*") if path.is_file()]


def describe(root: Root) -> None:
    """Keep of each Debian package behind a file what dpkg knows of it, and its licence."""
    asked = {name for real in root.sources for name in (real, real.removeprefix("/usr"))}
    found = subprocess.run(["dpkg-query", "-S", *sorted(asked)], capture_output=True, text=True, check=False)
    owners = (line.rpartition(": ")[0] for line in found.stdout.splitlines())
    packages = {name for line in owners for name in line.split(", ") if not line.startswith("diversion")}
    status = root.folder / "var/lib/dpkg/status.d"
    status.mkdir(parents=True)
    for package in sorted(packages):
        record = subprocess.run(["dpkg-query", "-s", package], capture_output=True, check=True).stdout
        name = package.partition(":")[0]
        (status / name).write_bytes(record)
        root.file(f"/usr/share/doc/{name}/copyright")


def main(environment: Path, folder: Path) -> None:
    """Make the root."""
    root = Root(folder)
    for name in MERGED:
        (folder / "usr" / name).mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(f"usr/{name}")
    python = environment / "bin/python3"
    while python.is_symlink():
        if not python.is_relative_to(environment):
            root.link(str(python))
        python = Path(os.path.normpath(python.parent / os.readlink(python)))
    root.file(str(python))
    standard = Path(sysconfig.get_path("stdlib"))
    root.tree(str(standard), UNUSED)
    for path in libraries([str(python), *binaries(folder / str(standard).lstrip("/"), environment)]):
        root.file(path)
    beside = os.path.dirname(next(iter(libraries([str(python)]))))
    for name in LOADED:
        root.file(f"{beside}/{name}")
    for path in (*LINKED, *FILES, "/usr/lib/locale/C.utf8"):
        root.tree(path)
    for path in LINKS:
        root.link(path)
    describe(root)
    (folder / "etc/os-release").symlink_to("../usr/lib/os-release")
    (folder / "etc/passwd").write_text(PASSWD.format(user=USER))
    (folder / "etc/group").write_text(f"root:x:0:\nmodelsync:x:{USER}:\n")
    for name in ("proc", "sys", "dev", "run", "tmp"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "tmp").chmod(0o1777)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
