"""Names, flags and values for the shell: as kubectl asks for them, and as bash does."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelsync.kubectl import completion
from tests.kubectl import clusters
from tests.kubectl.clusters import Served
from tests.web.fake_cluster import a_sync


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with clusters.serving(tmp_path_factory.mktemp("cluster")) as found:
        found.call(
            lambda cluster: cluster.put(
                a_sync("team", "llama"), a_sync("team", "lima"), a_sync("team", "gemma"), a_sync("b", "other")
            )
        )
        found.cluster.queues = [{"metadata": {"name": name}} for name in ("gpu", "default")]
        yield found


_WAIT = ("--request-timeout", "60s")
"""A shell waits for 2 s, and a loaded machine may take longer."""
_ASKED: dict[str, tuple[list[str], set[str], int]] = {
    "verbs": (["pri"], {"prioritize"}, 4),
    "no commands of Pods": (["o"], set(), 4),
    "flags": (["get", "--field"], {"--field-selector"}, 4),
    "names": (["status", *_WAIT, "l"], {"llama", "lima"}, 4),
    "a second name": (["pause", *_WAIT, "llama", "g"], {"gemma"}, 4),
    "names of another namespace": (["status", *_WAIT, "-n", "b", ""], {"other"}, 4),
    "namespaces": (["get", *_WAIT, "-n", ""], {"team", "b"}, 4),
    "namespaces after =": (["get", *_WAIT, "--namespace=t"], {"team"}, 4),
    "contexts": (["get", "--context", ""], {"one"}, 4),
    "phases": (["get", "--phase", "C"], {"Complete", "Cancelled"}, 4),
    "queues": (["create", *_WAIT, "hf://a/b", "--queue", ""], {"gpu", "default"}, 4),
    "outputs": (["get", "-o", ""], {"wide", "json", "yaml", "name"}, 4),
    "shells": (["completion", "z"], {"zsh"}, 4),
    "files": (["get", "--kubeconfig", ""], set(), 0),
    "a verb that is none": (["nothing", "x"], set(), 4),
    "names of a cluster that is away": (["status", "--context", "nothing", ""], set(), 4),
}


@pytest.mark.parametrize("case", _ASKED)
def test_kubectl_gets_candidates_and_a_directive(case: str, served: Served) -> None:
    words, candidates, directive = _ASKED[case]
    verb, *rest = words
    if verb in ("get", "status", "pause", "create"):  # the library reads KUBECONFIG when it is imported
        rest = ["--kubeconfig", served.kubeconfig, *rest]
    *found, last = completion.answer([verb, *rest])
    assert {line.partition("\t")[0] for line in found} == candidates
    assert last == f":{directive}"


@pytest.fixture
def programs(tmp_path: Path, served: Served) -> dict[str, str]:
    """An environment whose PATH has the plugin's console scripts."""
    scripts = {
        "modelsync": "modelsync.__main__",
        "kubectl-modelsync": "modelsync.__main__",
        "kubectl_complete-modelsync": "modelsync.kubectl.completion",
    }
    for name, module in scripts.items():
        path = tmp_path / name
        path.write_text(f"#!{sys.executable}\nfrom {module} import run\nrun()\n")
        path.chmod(0o755)
    return dict(os.environ) | {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "KUBECONFIG": served.kubeconfig,
        "PYTHONPATH": str(Path(completion.__file__).parents[2]),
    }


def test_a_real_kubectl_completes_names_of_the_plugin(programs: dict[str, str]) -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    words = ["kubectl", "__complete", "modelsync", "status", *_WAIT, "l"]
    done = subprocess.run(words, env=programs, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["lima", "llama", ":4"]


def test_a_real_bash_completes_names(programs: dict[str, str]) -> None:
    script = """
        source <(modelsync completion bash)
        COMP_WORDS=(modelsync status --request-timeout 60s l); COMP_CWORD=4
        _modelsync_completion modelsync
        echo "${COMPREPLY[@]}"
    """
    done = subprocess.run(["bash", "-c", script], env=programs, capture_output=True, text=True, check=True)
    assert sorted(done.stdout.split()) == ["lima", "llama"], done.stderr
