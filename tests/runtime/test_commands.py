"""The commands around the operator: flags, variables, errors, CRDs, and the end of the process."""

import asyncio
import os
import re
import signal
import socket
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from modelsync.cli import crds, main, operator
from modelsync.runtime.cluster.resources import QUEUES, SYNCS
from tests.runtime import fake_api, harness, test_operator
from tests.settings import documents

SOURCES = Path(__file__).parents[2] / "operator"


def test_help_names_every_flag_and_there_is_none_for_what_the_document_says() -> None:
    result = CliRunner().invoke(operator.command, ["--help"], terminal_width=400)
    assert result.exit_code == 0
    flags = {
        "--config",
        "--namespace",
        "--operator-namespace",
        "--kubeconfig",
        "--context",
    }
    assert set(re.findall(r"--[a-z-]+", result.output)) - {"--help"} == flags | {
        "--log-level",
        "--log-format",
    }


def test_crds_are_written_and_checked(tmp_path: Path) -> None:
    run = CliRunner()
    assert run.invoke(crds.command, [str(tmp_path)]).exit_code == 0
    made = [yaml.load(file.read_text(), yaml.CSafeLoader) for file in tmp_path.iterdir()]
    kinds = {each["spec"]["names"]["kind"] for each in made}
    assert kinds == {"ModelSync", "SyncQueue"}
    assert run.invoke(crds.command, [str(tmp_path), "--check"]).exit_code == 0
    (tmp_path / "modelsync.dev_modelsyncs.yaml").write_text("edited")
    result = run.invoke(crds.command, [str(tmp_path), "--check"])
    assert result.exit_code == 1 and "modelsync.dev_modelsyncs.yaml" in result.output


async def start(*args: str, cwd: Path | None = None, **environment: str) -> asyncio.subprocess.Process:
    """The real process, as a user starts it."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "modelsync",
        "operator",
        *args,
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCES), **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


@pytest.mark.parametrize(
    ("args", "fix"),
    [
        pytest.param([], "--config: is needed", id="no configuration"),
        pytest.param(["--config=nowhere"], "nowhere cannot be read", id="a file that is not there"),
        pytest.param(["--config=bad.yaml"], "bad.yaml: limits.bandwidth: there is no such", id="bad field"),
        pytest.param(
            ["--config=good.yaml", "--status-qps=1"],
            "--status-qps: is no flag any more; set limits.statusWritesPerSecond",
            id="a former flag",
        ),
    ],
)
def test_a_wrong_setting_is_one_line_and_code_2(
    args: list[str],
    fix: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """In this process, since the program does not get as far as to change anything in it."""
    (tmp_path / "good.yaml").write_bytes(documents.written())
    (tmp_path / "bad.yaml").write_bytes(documents.written({"limits.bandwidth": 1}))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["modelsync", "operator", *args])
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 2
    said = capfd.readouterr()
    assert fix in said.err and len((said.out + said.err).splitlines()) == 1


@harness.in_loop
async def test_no_cluster_is_one_line_and_code_2(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_bytes(documents.written())
    process = await start("--config=good.yaml", "--kubeconfig=/nowhere", HOME="/nowhere", cwd=tmp_path)
    output, _ = await process.communicate()
    assert process.returncode == 2
    assert "set --kubeconfig (KUBECONFIG)" in output.decode() and len(output.decode().splitlines()) == 1


@harness.in_loop
async def test_sigterm_ends_the_process_in_order_with_code_0(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    async with fake_api.FakeApi().serving() as api:
        api.put(QUEUES, test_operator.queue())
        api.put(SYNCS, harness.sync())
        kubeconfig = tmp_path / "kubeconfig"
        cluster = {"name": "c", "cluster": {"server": api.url}}
        context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
        user = {"name": "u", "user": {"token": "t"}}
        whole = {"clusters": [cluster], "contexts": [context], "users": [user], "current-context": "c"}
        kubeconfig.write_text(yaml.safe_dump(whole))
        config = tmp_path / "config.yaml"
        config.write_bytes(documents.written({"metrics.port": port, "health.port": 0}))
        process = await start(
            f"--config={config}",
            "--operator-namespace=ops",
            KUBECONFIG=str(kubeconfig),
        )
        await harness.eventually(lambda: test_operator.jobs(api), 120)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(60):
            output, _ = await process.communicate()
        assert process.returncode == 0, output.decode()
        assert all(line.startswith(b"{") for line in output.splitlines()), output.decode()
        assert {path for verb, path in api.asked if verb == "PUT"} == {
            "/apis/coordination.k8s.io/v1/namespaces/ops/leases/modelsync-operator"
        }
