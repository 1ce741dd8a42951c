"""Names, flags and values for the shell: as kubectl asks for them, and as bash does."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelsync.cli import main, shells
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


_TYPED: dict[str, tuple[str, str, set[str]]] = {
    "the value of an option": ("get --namespace=t", "--namespace=", {"team"}),
    "the value of which nothing is typed": ("get --namespace=", "--namespace=", {"team", "b"}),
    "a name after such an option": ("status --namespace=b o", "", {"other"}),
    "a name of which nothing is typed": ("status --namespace=b ", "", {"other"}),
    "a value that is a word": ("get --namespace t", "", {"team"}),
    "a name": ("pause llama l", "", {"llama", "lima"}),
    "a file, which the shell finds": ("get --kubeconfig=/et", "", {"/et"}),
    "an option": ("get --field", "", {"--field-selector"}),
}
"""What is typed, what of the last word stays, and what may follow that."""


@pytest.mark.parametrize("shell", shells.ALL)
@pytest.mark.parametrize("case", _TYPED)
def test_a_shell_gets_what_it_can_put_in_place_of_the_last_word(
    shell: str, case: str, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    line, kept, candidates = _TYPED[case]
    verb, _, rest = line.partition(" ")
    line = " ".join(("modelsync", verb, "--kubeconfig", served.kubeconfig, *_WAIT, rest))
    broken = line.replace("=", " = ") if shell == "bash" else line
    *before, typed = broken.rstrip(" ").split() if broken.endswith("= ") else broken.split(" ")
    monkeypatch.setenv("COMP_WORDS", broken)
    monkeypatch.setenv("COMP_CWORD", typed if shell == "fish" else str(len(before)))
    found = shells.ALL[shell](main.cli, {}, "modelsync", "_MODELSYNC_COMPLETE").complete().splitlines()
    values = found[1::3] if shell == "zsh" else [each.partition(",")[2].partition("\t")[0] for each in found]
    assert set(values) == {each if shell == "bash" else kept + each for each in candidates}


def test_fish_shows_what_follows_a_comma_in_a_description() -> None:
    script = shells.Fish(main.cli, {}, "modelsync", "_MODELSYNC_COMPLETE").source()
    assert script.count('string split --max 1 ","') == script.count("string split") == 1


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
        COMP_WORDS=(modelsync status --namespace = team --request-timeout 60s l); COMP_CWORD=7
        _modelsync_completion modelsync
        echo "${COMPREPLY[@]}"
    """
    done = subprocess.run(["bash", "-c", script], env=programs, capture_output=True, text=True, check=True)
    assert sorted(done.stdout.split()) == ["lima", "llama"], done.stderr
