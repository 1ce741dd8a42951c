"""What cannot work is said in one sentence before anything is changed."""

import os
import pathlib
import subprocess

import pytest

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="taking rights away needs them first")


def refusal(repository: pathlib.Path, *command: str, **environment: str) -> str:
    """Run the command, which has to be refused, and return its one sentence."""
    done = subprocess.run(
        command,
        cwd=repository,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("start", "--name", "No/Name"), "use up to 32 lower case letters"),
        (("start", "--nodes", "0"), "--nodes must be between 1 and 9"),
        (("disk", "--name", "x", "--size", "lots", "--cluster", "No"), "use up to 32"),
    ],
    ids=["name", "nodes", "name-of-another-verb"],
)
def test_a_bad_argument_is_named(
    arguments: tuple[str, ...],
    words: str,
    repository: pathlib.Path,
    python: str,
    tmp_path: pathlib.Path,
) -> None:
    command = (python, "-m", "dev.cluster", *arguments)
    assert words in refusal(repository, *command, XDG_CACHE_HOME=str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_missing_root_is_named(repository: pathlib.Path, python: str, tmp_path: pathlib.Path) -> None:
    # The venv may be where a stranger cannot go, so the rights are dropped after the imports.
    script = (
        "import os, sys; from dev.cluster import __main__; os.setgroups([]); os.setuid(65534);"
        " sys.exit(__main__.main())"
    )
    command = (python, "-c", script, "start")
    assert "needs root" in refusal(repository, *command, XDG_CACHE_HOME=str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_missing_network_namespaces_are_named(
    repository: pathlib.Path, python: str, tmp_path: pathlib.Path
) -> None:
    command = ("setpriv", "--bounding-set=-sys_admin", python, "-m", "dev.cluster", "start")
    sentence = refusal(repository, *command, XDG_CACHE_HOME=str(tmp_path))
    assert "no network namespaces" in sentence
    assert list(tmp_path.iterdir()) == []


def test_a_disk_too_small_for_the_build_is_named(
    repository: pathlib.Path, python: str, tmp_path: pathlib.Path
) -> None:
    # A mount namespace of its own: the file system is gone when the command ends.
    script = f'mount -t tmpfs -o size=1m none {tmp_path} && "$@" && ls -A {tmp_path}'
    command = (python, "-m", "dev.cluster", "start")
    sentence = refusal(
        repository,
        "unshare",
        "--mount",
        "sh",
        "-c",
        script,
        "sh",
        *command,
        XDG_CACHE_HOME=str(tmp_path),
    )
    assert "12 GB are needed" in sentence
    assert "XDG_CACHE_HOME" in sentence
