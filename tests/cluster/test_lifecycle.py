"""Starting and stopping a second cluster beside the running one, also in the worst ways.

Both use the same addresses, in network namespaces of their own. Nothing here uses the running one.
"""

import collections.abc
import contextlib
import os
import pathlib
import signal
import subprocess
import time

import pytest

from tests import counts
from tests.cluster import traces

NAME = "second"
STATE = traces.cache_folder() / "cluster" / NAME
NODE_COUNT = counts.chosen(short=1, full=2)
NODES = ("--nodes", str(NODE_COUNT))
INSTANTS = (
    "run/etcd.pid",
    "run/kubelet-2.pid",
    "cluster.json",
    "run/containerd-1.pid",
    "run/kube-controller-manager.pid",
    "local-path.json",
)
"""What a start has just made: first those of the short form, where little is there, and nearly all."""
Tool = collections.abc.Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def tool(repository: pathlib.Path, python: str, kubectl: object) -> collections.abc.Iterator[Tool]:
    def run(verb: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [python, "-m", "dev.cluster", verb, "--name", NAME, *arguments]
        return subprocess.run(
            command, cwd=repository, capture_output=True, text=True, check=False, timeout=120
        )

    yield run
    run("stop")


@pytest.fixture
def running(tool: Tool) -> None:
    """A cluster without an uplink that runs: the one of the test before where there is one."""
    if tool("start", *NODES).returncode:
        tool("stop")
        assert tool("start", *NODES).returncode == 0


@pytest.fixture
def starting(
    repository: pathlib.Path, python: str, tool: Tool
) -> collections.abc.Iterator["subprocess.Popen[bytes]"]:
    tool("stop")
    command = [python, "-m", "dev.cluster", "start", "--name", NAME]
    with subprocess.Popen(command, cwd=repository, stderr=subprocess.DEVNULL) as process:
        yield process
        process.kill()


def wait_for(path: pathlib.Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} never appeared"
        time.sleep(0.01)


def run_a_pod(tool: Tool) -> None:
    pod = ("kubectl", "run", "sleeper", "--image=localhost/busybox:dev")
    assert tool("exec", "--", *pod, "--command", "--", "sleep", "infinity").returncode == 0
    ready = ("kubectl", "wait", "--for=condition=Ready", "pod/sleeper", "--timeout=30s")
    assert tool("exec", "--", *ready).returncode == 0


def pid_of(component: str) -> int:
    return int((STATE / "run" / f"{component}.pid").read_text())


def kill(component: str) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid_of(component), signal.SIGKILL)


@pytest.mark.parametrize("instant", INSTANTS[: counts.chosen(short=2, full=None)])
def test_stop_leaves_nothing_of_a_start_that_was_killed_at(
    instant: str, tool: Tool, starting: "subprocess.Popen[bytes]"
) -> None:
    wait_for(STATE / instant)
    starting.kill()
    starting.wait()
    assert tool("status").returncode == 1
    stopped = tool("stop")
    assert (stopped.returncode, traces.of(NAME)) == (0, []), stopped.stderr


def test_start_does_nothing_to_a_running_cluster(running: None, tool: Tool) -> None:
    etcd = pid_of("etcd")
    assert "already running" in tool("start", *NODES).stderr
    assert pid_of("etcd") == etcd
    assert tool("status").returncode == 0


ROUTE = ("exec", "--", "ip", "route", "get", "192.0.2.1")


def test_an_uplink_is_made_on_demand_only(running: None, tool: Tool) -> None:
    assert "uplink" not in tool(*ROUTE).stdout
    refused = tool("start", *NODES, "--uplink")
    assert (refused.returncode, "no uplink; stop it first" in refused.stderr) == (1, True)


def test_exec_passes_exit_codes_and_says_where_it_runs(running: None, tool: Tool) -> None:
    assert tool("exec", "--", "sh", "-c", "exit 7").returncode == 7
    said = tool("exec", "--", "sh", "-c", "echo $MODELSYNC_DEV_CLUSTER $MODELSYNC_ORIGIN_HOST")
    assert said.stdout == f"{NAME} 10.10.0.1\n"
    named = tool("exec", "--", "sh", "-c", "echo $KUBECONFIG; which kubectl helm versitygw")
    kubeconfig, *programs = named.stdout.splitlines()
    assert kubeconfig == tool("kubeconfig").stdout.strip()
    assert len(programs) == 3


def test_a_broken_cluster_is_repaired_as_it_is_asked_for_and_stop_leaves_nothing_of_it(
    running: None, tool: Tool
) -> None:
    """The second time it is broken while a Pod and a command of `exec` run in it."""
    etcd = pid_of("etcd")
    kill("etcd")
    assert tool("start", *NODES, "--uplink").returncode == 0
    assert pid_of("etcd") != etcd
    assert tool("status").returncode == 0
    assert "dev uplink" in tool(*ROUTE).stdout
    run_a_pod(tool)
    inside = ("sh", "-c", "sleep 1000 >/dev/null 2>&1 & echo $!")
    pid = int(tool("exec", "--", *inside).stdout)
    for component in (f"containerd-{NODE_COUNT}", "containerd-1", "kubelet-1", "kube-apiserver"):
        kill(component)
    assert tool("status").returncode == 1
    assert tool("stop").returncode == 0
    assert traces.of(NAME) == []
    assert not pathlib.Path(f"/proc/{pid}/exe").exists()
    assert tool("stop").returncode == 0
