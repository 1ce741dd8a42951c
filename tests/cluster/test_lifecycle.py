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

from tests.cluster import traces

NAME = "second"
STATE = traces.cache_folder() / "cluster" / NAME
Tool = collections.abc.Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def tool(repository: pathlib.Path, python: str, kubectl: object) -> collections.abc.Iterator[Tool]:
    def run(verb: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [python, "-m", "dev.cluster", verb, "--name", NAME, *arguments]
        return subprocess.run(
            command, cwd=repository, capture_output=True, text=True, check=False, timeout=120
        )

    run("stop")
    yield run
    run("stop")


@pytest.fixture
def starting(repository: pathlib.Path, python: str) -> collections.abc.Iterator["subprocess.Popen[bytes]"]:
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


@pytest.mark.parametrize(
    "instant",
    [
        "cluster.json",
        "run/etcd.pid",
        "run/containerd-1.pid",
        "run/kube-controller-manager.pid",
        "run/kubelet-2.pid",
        "local-path.json",
    ],
)
def test_stop_leaves_nothing_of_a_start_that_was_killed_at(
    instant: str, tool: Tool, starting: "subprocess.Popen[bytes]"
) -> None:
    wait_for(STATE / instant)
    starting.kill()
    starting.wait()
    assert tool("status").returncode == 1
    stopped = tool("stop")
    assert (stopped.returncode, traces.of(NAME)) == (0, []), stopped.stderr


def test_stop_leaves_nothing_of_a_cluster_whose_daemons_were_killed_while_a_pod_ran(
    tool: Tool,
) -> None:
    assert tool("start").returncode == 0
    run_a_pod(tool)
    for component in ("containerd-1", "containerd-2", "kubelet-1", "kube-apiserver"):
        kill(component)
    assert tool("status").returncode == 1
    assert tool("stop").returncode == 0
    assert traces.of(NAME) == []


def test_start_does_nothing_to_a_running_cluster_and_repairs_a_broken_one(tool: Tool) -> None:
    assert tool("start").returncode == 0
    etcd = pid_of("etcd")
    assert "already running" in tool("start").stderr
    assert pid_of("etcd") == etcd
    kill("etcd")
    assert tool("start").returncode == 0
    assert pid_of("etcd") != etcd
    assert tool("status").returncode == 0


def test_an_uplink_is_made_on_demand_only_and_goes_with_the_cluster(tool: Tool) -> None:
    route = ("exec", "--", "ip", "route", "get", "192.0.2.1")
    assert tool("start", "--nodes", "1").returncode == 0
    assert "uplink" not in tool(*route).stdout
    refused = tool("start", "--nodes", "1", "--uplink")
    assert (refused.returncode, "no uplink; stop it first" in refused.stderr) == (1, True)
    tool("stop")
    assert tool("start", "--nodes", "1", "--uplink").returncode == 0
    assert "dev uplink" in tool(*route).stdout
    tool("stop")
    assert traces.of(NAME) == []


def test_exec_passes_exit_codes_says_where_it_runs_and_ends_with_the_cluster(tool: Tool) -> None:
    assert tool("start", "--nodes", "1").returncode == 0
    assert tool("exec", "--", "sh", "-c", "exit 7").returncode == 7
    said = tool("exec", "--", "sh", "-c", "echo $MODELSYNC_DEV_CLUSTER $MODELSYNC_ORIGIN_HOST")
    assert said.stdout == f"{NAME} 10.10.0.1\n"
    named = tool("exec", "--", "sh", "-c", "echo $KUBECONFIG; which kubectl helm versitygw")
    kubeconfig, *programs = named.stdout.splitlines()
    assert kubeconfig == tool("kubeconfig").stdout.strip()
    assert len(programs) == 3
    inside = ("sh", "-c", "sleep 1000 >/dev/null 2>&1 & echo $!")
    pid = int(tool("exec", "--", *inside).stdout)
    assert tool("stop").returncode == 0
    assert traces.of(NAME) == []
    assert not pathlib.Path(f"/proc/{pid}/exe").exists()
    assert tool("stop").returncode == 0
