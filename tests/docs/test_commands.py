"""Every command of the documentation is run or checked, or has a line in README.md that says why not."""

import functools
import hashlib
import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from dev.cluster.__main__ import _parser as cluster_parser
from dev.origins.hub import HubServer, Repository
from dev.origins.programs import versitygw
from modelsync.cli import main
from tests.chart import helm
from tests.docs import schemas
from tests.docs.pages import PAGES, ROOT, Command, codes, commands, name

COMMANDS = {(command.page, command.text): command for command in commands()}
NOT_RUN = re.findall(
    r"^\| `([^`]+)` \| ([^|]+) \|$", (ROOT / "tests/docs/README.md").read_text().split("## ")[1], re.M
)
FILES = {"config.json": b"{}", "model.safetensors": b"weights", "tokenizer.json": b"{}"}
BODY = b"the bytes of model.bin"
FOREIGN_FLAGS = {
    "--build-arg", "--case", "--cluster", "--profile", "--region", "--set", "--values", "--virtual-domain",
    "--wait",
}  # fmt: skip
"""Of docker, dev and tests, kubectl, versitygw and Helm."""
SERVER = "modelsync dashboard"
"""Serves until Ctrl-C, so it is looked up only."""
GLOBAL_FLAGS = {"--namespace", "-n", "--context", "--kubeconfig"}


def of(*beginnings: str) -> list[Command]:
    return [command for command in COMMANDS.values() if command.text.startswith(beginnings)]


def each(*beginnings: str) -> pytest.MarkDecorator:
    found = of(*beginnings)
    assert found, beginnings
    return pytest.mark.parametrize("command", found, ids=lambda command: command.id)


CHECKED = ("modelsync ", "helm ", "kubectl ", "until kubectl ", "make ", "python -m ", "dev/", "export PATH=")


def test_every_command_has_a_check_or_a_reason_why_not() -> None:
    free = [c.id for c in COMMANDS.values() if not c.text.startswith((*CHECKED, *dict(NOT_RUN)))]
    assert free == []


@pytest.mark.parametrize(("beginning", "why"), NOT_RUN)
def test_no_line_of_what_is_not_run_is_left_over(beginning: str, why: str) -> None:
    assert of(beginning)
    assert why.strip()


@each("make ")
def test_make_has_the_target(command: Command) -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = [word for word in shlex.split(command.text)[1:] if "=" not in word]
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.M)] == []
    variables = [word.split("=")[0] for word in shlex.split(command.text)[1:] if "=" in word]
    sources = makefile + "".join(path.read_text() for path in (ROOT / "dev/demo").glob("*.py"))
    assert [name for name in variables if name not in sources] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_flag_in_code_font_is_one_of_a_command(page: Path) -> None:
    context = click.Context(main.cli)
    verbs = [main.cli.get_command(context, verb) for verb in main.cli.list_commands(context)]
    ours = {option for verb in verbs if verb for param in verb.get_params(context) for option in param.opts}
    ours |= {option for option in cluster_parser()._option_string_actions if option.startswith("--")}
    named = {code.split()[0].split("=")[0] for code in codes(page) if code.startswith("--")}
    assert sorted(named - ours - FOREIGN_FLAGS) == []


@each("dev/")
def test_a_script_exists_and_can_be_executed(command: Command) -> None:
    assert os.access(ROOT / command.text.split()[0], os.X_OK)


@each("python -m ")
def test_a_module_exists_and_takes_the_arguments(command: Command) -> None:
    module, *given = shlex.split(command.text)[2:]
    if module == "pytest":
        assert [word for word in given if "/" in word and not (ROOT / word).exists()] == []
    elif module == "modelsync":
        _mentioned(" ".join(["modelsync", *given]))
    else:
        assert importlib.util.find_spec(module) is not None, module
    if module == "dev.cluster":
        cluster_parser().parse_args(given)


@each("helm upgrade", "helm install")
def test_helm_renders_the_chart_with_the_values(command: Command) -> None:
    if command.inline:
        return
    words = shlex.split(command.text.replace("$REGISTRY", "registry.example.org/team"))
    given = words[words.index("charts/modelsync") + 1 :]
    kept = [word for word in given if word not in ("--wait", "--reuse-values")]
    done = helm.run(
        "template",
        "modelsync",
        str(ROOT / helm.CHART),
        "--api-versions",
        "monitoring.coreos.com/v1/ServiceMonitor",
        *kept,
    )
    assert done.returncode == 0, done.stderr


@each("helm uninstall")
def test_helm_uninstalls_what_install_installs(command: Command) -> None:
    words = shlex.split(command.text)
    assert any(
        words[2] in install.text and words[-1] in install.text for install in of("helm upgrade --install")
    )


@each("kubectl ", "until kubectl ")
def test_kubectl_knows_the_flags(command: Command) -> None:
    if command.text.startswith("kubectl modelsync"):
        _mentioned(command.text.removeprefix("kubectl "))
        return
    for line in re.findall(r"kubectl [^;\n]+", command.text):
        words = shlex.split(line.split(" 2>")[0].removesuffix(" &").split(" -- ")[0])
        verb = [word for word in words[1:4] if re.fullmatch("[a-z-]+", word)]
        verb = verb[: {"create": 3 if "secret" in verb else 2, "rollout": 2}.get(verb[0], 1)]
        flags = {word.split("=")[0] for word in words if word.startswith("-")}
        assert {
            flag for flag in flags if not re.search(rf"(^|[ ,]){flag}[=, ]", _kubectl_help(*verb), re.M)
        } <= GLOBAL_FLAGS


@each("kubectl patch")
def test_a_patch_is_one_that_the_schema_takes(command: Command) -> None:
    words = shlex.split(command.text)
    kind = {"modelsync": "ModelSync", "syncqueue": "SyncQueue"}[words[2]]
    assert schemas.errors(kind, json.loads(words[words.index("-p") + 1]), partial=True) == []


def test_a_json_path_leads_to_a_field() -> None:
    tried = 0
    for command in of("kubectl get modelsync", "kubectl get syncqueue"):
        kind = "ModelSync" if "modelsync" in command.text else "SyncQueue"
        for path in re.findall(r"jsonpath='\{\.([\w.]+)", command.text):
            tried += 1
            assert schemas.has_field(kind, path), command.text
    assert tried


@each("kubectl explain")
def test_explain_names_a_field(command: Command) -> None:
    kind, path = command.text.split()[2].split(".", 1)
    assert schemas.has_field({"modelsync": "ModelSync", "syncqueue": "SyncQueue"}[kind], path)


@each("kubectl apply -f", "kubectl delete crd")
def test_what_kubectl_names_exists(command: Command) -> None:
    files = [word for word in command.text.split() if word.endswith(".yaml")]
    assert [name for name in files if not (ROOT / name).is_file()] == []
    crds = {path.stem for path in (ROOT / "crds").glob("*.yaml")}
    assert {word.split(".")[0] for word in command.text.split() if word.endswith(".dev")} <= {
        crd.split("_")[1] for crd in crds
    }


@pytest.fixture(scope="module")
def origins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The variables and the addresses with which the pages' `modelsync pull` reaches loopback only."""
    minilm = Repository("sentence-transformers/all-MiniLM-L6-v2", FILES)
    other = Repository("org/name", FILES)
    other.tag("v1.0")
    with (
        HubServer(minilm, other, Repository("org/web", {"model.bin": BODY})) as hub,
        versitygw.running(tmp_path_factory.mktemp("s3")) as s3,
    ):
        s3.put("bucket", {f"llama/7b/{path}": body for path, body in FILES.items()})
        yield {
            "HF_ENDPOINT": hub.url,
            "AWS_ACCESS_KEY_ID": s3.access_key,
            "AWS_SECRET_ACCESS_KEY": s3.secret_key,
            "https://s3.example.org": s3.url,
            "https://example.org": f"{hub.url}/org/web/resolve/main",
            "DIGEST": hashlib.sha256(BODY).hexdigest(),
        }


@each("modelsync ")
def test_modelsync_does_what_the_page_says(command: Command, origins: dict[str, str], tmp_path: Path) -> None:
    text = command.text.replace("DIRECTORY", ".")
    if text == SERVER:
        _mentioned(text)
        return
    if command.inline and not re.search(r"://|--version|clean \.", text):
        _mentioned(text)
        return
    for stated, real in origins.items():
        if not stated.isidentifier() or stated == "DIGEST":
            text = text.replace(stated, real)
    variables = {key: value for key, value in origins.items() if key.isidentifier() and key != "DIGEST"}
    done = _modelsync(text.removeprefix("modelsync "), cwd=tmp_path, **variables)
    if text.startswith("modelsync pull "):
        assert "sha256:" in done.stdout
        assert any(path.is_file() and ".modelsync" not in path.parts for path in tmp_path.rglob("*"))


def _mentioned(text: str) -> None:
    """A command's name, or an option of it: it exists."""
    words = [
        word for word in text.split()[1:] if not word.isupper() and "…" not in word and "..." not in word
    ]
    verb = [word for word in words if not word.startswith("-")][:1]
    context = click.Context(main.cli)
    found = main.cli.get_command(context, verb[0]) if verb else main.cli
    assert found is not None, verb
    options = {name for param in found.get_params(context) for name in param.opts}
    assert [word for word in words if word.startswith("-") and word not in options] == []


def _modelsync(arguments: str, cwd: Path = ROOT, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run it with a home of its own; a shell expands `~` there."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "operator"),
        "HOME": str(cwd),
        **variables,
    }
    script = f"{shlex.quote(sys.executable)} -m modelsync {arguments}"
    done = subprocess.run(
        ["sh", "-c", script],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


@functools.cache
def _kubectl_help(*verb: str) -> str:
    cached = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "modelsync/bin/kubectl"
    binary = shutil.which("kubectl") or (str(cached) if cached.exists() else None)
    if binary is None:
        pytest.skip("kubectl is not built yet: `make cluster` builds it")
    done = subprocess.run([binary, *verb, "--help"], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, f"kubectl {' '.join(verb)}: {done.stderr}"
    return done.stdout
