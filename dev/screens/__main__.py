"""`python -m dev.screens`: run each verb of the plugin in a terminal, and write what it shows into the docs.

Needs tmux, a cluster with the operator on it, and runs inside of it: `python -m dev.cluster exec -- python -m
dev.screens`. Nobody runs it in a test: look at the pictures, and commit them if they are right.
"""

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dev import kube
from dev import target as targets
from dev.screens import scene
from dev.screens.terminal import Terminal

PAGE = targets.REPOSITORY / "docs/reference/kubectl-screens.md"
_COLUMNS, _LINES = 100, 30
_SCRIPTS = {
    "kubectl-modelsync": "modelsync.__main__",
    "kubectl_complete-modelsync": "modelsync.kubectl.completion",
}
_HEAD = """# What each verb of the plugin shows

Look up what a verb of [kubectl modelsync](../howto/kubectl.md) shows, before you run it. The screens are
real: `python -m dev.screens` runs the verbs in a terminal of 100 columns, on a cluster whose origin is slow.
A terminal shows them in colour.
"""
_ENDED = (
    ("get", "get"),
    ("status of a download", "status chat-8b"),
    ("status of one that failed", "status gated-7b"),
    ("queue", "queue"),
    ("top", "top"),
    ("events", "events chat-8b"),
    ("logs", "logs embed-small"),
    (
        "create, first only shown",
        "create hf://acme/chat-8b@main --to pvc/models/chat --queue gpu --dry-run client",
    ),
    ("create", "create hf://acme/chat-8b --to pvc/models/extra --name extra --queue gpu"),
    ("limit", "limit chat-8b 2M"),
    ("prioritize", "prioritize vision-2b 9"),
    ("resume", "resume speech-1b"),
    ("pause", "pause speech-1b"),
    ("cancel", "cancel extra"),
    ("retry", "retry --all-failed"),
    ("prune", "prune --older-than 0 --dry-run"),
    ("check", "check"),
    ("report", "report -o /tmp/modelsync-report.tar.gz"),
    ("completion", "completion bash"),
    ("version", "version"),
)


def main() -> int:
    """Make the page; returns the exit code."""
    target = targets.current()
    if not target.inside and target.ours:
        print("screens: run it inside: python -m dev.cluster exec -- python -m dev.screens", file=sys.stderr)
        return 2
    with (
        tempfile.TemporaryDirectory() as folder,
        scene.set_up(target.origin_host),
        Terminal(_COLUMNS, _LINES, _environment(Path(folder))) as terminal,
    ):
        parts = [f"## {title}\n\n```text\n{text}\n```\n" for title, text in _screens(terminal)]
    PAGE.write_text("\n".join([_HEAD, *parts]), encoding="utf-8")
    print(PAGE)
    return 0


def _screens(terminal: Terminal) -> Iterator[tuple[str, str]]:
    yield from _live(terminal)
    for title, words in _ENDED:
        text = terminal.run(f"kubectl modelsync {words}")
        print(text, end="\n\n", flush=True)
        yield title, _published(text)
    text = terminal.start("kubectl modelsync wait chat-8b vision-2b", "MB/s")
    yield "wait, while it shows bars", text
    terminal.press("C-c")
    text = terminal.start("kubectl modelsync dashboard", "Ctrl-C ends it.")
    yield "dashboard", _published(text)
    terminal.press("C-c")


def _live(terminal: Terminal) -> Iterator[tuple[str, str]]:
    terminal.start("kubectl modelsync watch", "live", "MB/s")
    terminal.press("Down")
    yield "watch", terminal.until("▸ chat-8b", "priority 5")
    terminal.press("c")
    yield "watch, before it cancels", terminal.until("Cancel vision/chat-8b?")
    terminal.press("n", "?")
    yield "watch, its keys", terminal.until("Press any key")
    terminal.press("q", "q")
    terminal.until("the downloads go on")


def _published(text: str) -> str:
    """Without what nobody should copy."""
    return re.sub(r"(?<=token=)[\w-]+", "…", text)


def _environment(folder: Path) -> dict[str, str]:
    """Of a shell whose kubectl finds the plugin of this checkout."""
    for name, module in _SCRIPTS.items():
        path = folder / name
        path.write_text(f"#!{sys.executable}\nfrom {module} import run\nrun()\n", encoding="utf-8")
        path.chmod(0o755)
    kubeconfig = str(folder / "kubeconfig")
    Path(kubeconfig).write_text(kube.kubectl("config", "view", "--raw", "--flatten"), encoding="utf-8")
    words = ("config", "set-context", "--current", "--namespace", scene.NAMESPACE)
    kube.kubectl("--kubeconfig", kubeconfig, *words)
    return {
        "HOME": str(folder),
        "KUBECONFIG": kubeconfig,
        "PATH": f"{folder}:{os.environ['PATH']}",
        "PYTHONPATH": str(targets.REPOSITORY / "operator"),
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
        "SHELL": "/bin/sh",
    }


if __name__ == "__main__":
    sys.exit(main())
