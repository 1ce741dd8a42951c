"""Pages of the documentation on the real cluster: every command from top to bottom, and what it should do.

A reader has a shell, a namespace and the examples; so has `Reader`. tests/docs/README.md lists what replaces
the internet's Hub and what tests share. A command of a page without an expectation fails, and so does an
expectation without a command.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dev import kube
from dev.origins.hub import HubServer, Repository, Synthetic
from tests.docs import pages
from tests.e2e import release

_TABLE = (pages.ROOT / "tests/docs/README.md").read_text().split("## ")[2]
ROWS = re.findall(r"^\| `([^`]+)` \| `([^`]+)` \| (?:`([^`]+)`|not run) \| [^|]+ \|$", _TABLE, re.M)
"""Page, text of its command, and what stands in its place ('' where the command is not run)."""
MINILM = "sentence-transformers/all-MiniLM-L6-v2"
SIZE, SLOW = 3_000_000, 100_000
"""Bytes, and bytes per second: at this rate a download outlasts every command about a running one."""
Check = Callable[[str], object]


class Reader:
    """Someone who pastes commands; the context's namespace and the examples' Hub are the test's."""

    def __init__(self, folder: Path, space: str, hub: HubServer, **variables: str) -> None:
        config = folder / "kubeconfig"
        config.write_text(kube.kubectl("config", "view", "--raw", "--flatten"))
        self.space, self._folder, self._exports = space, folder, list[str]()
        self._environment = {**os.environ, "KUBECONFIG": str(config), **variables}
        shutil.copytree(pages.ROOT / "examples", folder / "examples")
        self.edit("examples/hub.yaml", r"^( +)(repository: .*)$", rf"\1\2\n\1endpoint: {hub.url}")
        self.run(f"kubectl config set-context --current --namespace={space}")

    def edit(self, file: str, pattern: str, replacement: str) -> None:
        """Change an example, as a page asks for it."""
        path = self._folder / file
        text, count = re.subn(pattern, replacement, path.read_text(), flags=re.M)
        assert count == 1, (file, pattern)
        path.write_text(text)

    def run(self, command: str, code: int = 0) -> str:
        """What a command prints; variables that one exports stay."""
        script = "\n".join([*self._exports, command])
        if command.endswith("--watch"):
            return self._interrupted("\n".join([*self._exports, f"exec {command}"]))
        done = subprocess.run(
            ["sh", "-c", script],
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert done.returncode == code, (command, done.stdout, done.stderr)
        if command.startswith("export "):
            self._exports.append(command)
        return done.stdout

    def _interrupted(self, script: str) -> str:
        """Its first two lines; then it is ended. Not by Ctrl-C's signal, which all that a shell starts in the
        background ignore, the tests and what they start with them."""
        with subprocess.Popen(
            ["sh", "-c", script], env=self._environment, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            printed = process.stdout.readline() + process.stdout.readline()
            process.terminate()
        return printed

    def play(self, page: str, *expected: tuple[str, Check]) -> None:
        """Run a page's commands; each must hold the text that is expected there, and pass its check."""
        run = [text for one in pages.in_order(page) if (text := _on_the_cluster(page, one.text))]
        assert [part for part, _ in expected if not any(part in text for text in run)] == []
        for text, (part, check) in zip(run, expected, strict=True):
            assert part in text
            check(self.run(text))


def _on_the_cluster(page: str, text: str) -> str:
    for _, old, new in (row for row in ROWS if row[0] == page and row[1] in text):
        if not new:
            return ""
        text = text.replace(old, new)
    return text


def shows(*words: str) -> Check:
    def check(printed: str) -> None:
        assert [word for word in words if word not in printed] == [], printed

    return check


def becomes(space: str, *phases: str) -> Check:
    return lambda _: kube.wait_for("minilm", space, kube.phase_is(*phases), 60, "/".join(phases))


def has(space: str, field: str, value: object) -> Check:
    def check(_: str) -> None:
        assert kube.get("modelsync", "minilm", space)["spec"][field] == value

    return check


def _is_retried(space: str) -> Check:
    def check(_: str) -> None:
        found = kube.get("modelsync", "minilm", space)["metadata"].get("annotations", {})
        assert found["modelsync.dev/retry-requested-at"].isdigit()

    return check


@pytest.fixture
def space(operator: None, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace without a claim: the pages make it."""
    with kube.namespace(kube.namespace_name(request.node.nodeid)) as found:
        yield found


@pytest.fixture
def hub(hub: HubServer) -> HubServer:
    hub.add(Repository(MINILM, {"config.json": b"{}", "model.safetensors": Synthetic(SIZE)}))
    return hub


def test_every_row_of_the_table_is_about_a_command() -> None:
    assert ROWS
    assert [row for row in ROWS if not any(row[1] in one.text for one in pages.in_order(row[0]))] == []


def test_the_tutorial_ends_with_a_model(space: str, hub: HubServer, tmp_path: Path) -> None:
    with kube.namespace(f"{space}-demo") as demo:
        kube.apply(kube.sync("minilm", demo, {"huggingFace": {"repository": MINILM}}, suspend=True))
        Reader(tmp_path, space, hub, DEMO=demo).play(
            "docs/tutorial/first-sync.md",
            ("export PATH=", shows()),
            ("get modelsyncs --all-namespaces", shows(demo, "minilm")),
            ("describe modelsync minilm", shows("Suspend:", MINILM)),
            ("explain modelsync.spec.source.huggingFace", shows("endpoint", "repository")),
            ("apply -f examples/hub.yaml", shows("persistentvolumeclaim/models created", "minilm created")),
            ("wait --for=condition=Ready", shows("condition met")),
            ("get modelsyncs --watch", shows("minilm", "Complete")),
        )
    found = kube.hashes_on_claim(space, "models", release.IMAGE)
    assert {"minilm/model.safetensors", "minilm/.modelsync/manifest.json"} <= set(found)


def test_a_sync_is_controlled_and_waited_for(space: str, hub: HubServer, tmp_path: Path) -> None:
    def the_origin_is_fast_again(printed: str) -> None:
        assert space in printed and "gone" in printed
        hub.rate = None

    reader = Reader(tmp_path, space, hub)
    hub.rate = SLOW
    reader.run("kubectl apply -f examples/hub.yaml")
    kube.apply(kube.sync("gone", space, {"huggingFace": {"repository": "org/gone", "endpoint": hub.url}}))
    kube.wait_for("gone", space, kube.phase_is("Failed"), 60, "Failed")
    becomes(space, "Downloading")("")
    reader.play(
        "docs/howto/control.md",
        ('"suspend":true', becomes(space, "Paused")),
        ('"suspend":false', becomes(space, "Queued", "Downloading")),
        ('"cancel":true', becomes(space, "Cancelled")),
        ('"cancel":false', becomes(space, "Queued", "Downloading")),
        ("retry-requested-at", _is_retried(space)),
        ("bandwidthLimit", has(space, "bandwidthLimit", "50M")),
        ("priority", has(space, "priority", 10)),
        ("status.phase=Failed", the_origin_is_fast_again),
        ("kubectl wait --for=condition=Ready --timeout=6h", shows("condition met")),
        ("until kubectl wait", shows("condition met")),
    )
    *_, loop = (one.text for one in pages.in_order("docs/howto/control.md"))
    reader.run(loop.replace("modelsync/minilm", "modelsync/gone"), code=1)


def test_a_queue_is_opened_and_looked_at(space: str, hub: HubServer, tmp_path: Path) -> None:
    source = {"huggingFace": {"repository": MINILM, "endpoint": hub.url}}

    def waits_again(printed: str) -> None:
        assert queue in printed
        kube.patch("syncqueue", queue, release.SYSTEM, {"spec": {"maxActive": 0}})
        kube.patch(
            "modelsync",
            "minilm",
            space,
            {"metadata": {"annotations": {"modelsync.dev/retry-requested-at": "1"}}},
        )
        kube.wait_for("minilm", space, lambda one: "queue" in one["status"], 60, "a place in the queue")

    with release.queue(space, 0) as queue:
        kube.apply(kube.claim("models", space), kube.sync("minilm", space, source, queue=queue))
        becomes(space, "Queued")("")
        Reader(tmp_path, space, hub, QUEUE=queue).play(
            "docs/howto/queues.md",
            ('"maxActive":3', becomes(space, "Complete")),
            ("get syncqueues", waits_again),
            ("get modelsync minilm", shows(f'"name":"{queue}"', '"position":1')),
        )


def test_the_files_of_a_deleted_sync_are_reported_listed_and_removed(
    space: str, hub: HubServer, tmp_path: Path
) -> None:
    reader = Reader(tmp_path, space, hub)
    hub.rate = SLOW
    reader.run("kubectl apply -f examples/hub.yaml")
    sync = kube.wait_for("minilm", space, _has_bytes, 60, "some bytes")
    uid = sync["metadata"]["uid"]
    kube.kubectl("delete", "modelsync", "minilm", "-n", space)
    with kube.Watch("event", space) as events:
        events.until(lambda one: one["reason"] == "UnfinishedFilesLeft", 30, "the Event")
    kube.eventually(lambda: not kube.get("pods", namespace=space), 60, "the worker has ended")

    def run_again_to_remove_them(_: str) -> None:
        reader.edit("examples/clean.yaml", r'args: \["clean", "/volume"\]', _with_uid(uid))
        page = [one.text for one in pages.in_order("docs/howto/clean-up.md")]
        *others, logs = (text for text in page if re.match(r"kubectl (apply|wait|logs)", text))
        for text in others:
            reader.run(text)
        assert "Removed 3.0" in reader.run(logs)

    reader.play(
        "docs/howto/clean-up.md",
        ("get events", shows(f"up to 3.0MB of unfinished files stay in 'minilm/.modelsync/{uid}'")),
        ("apply -f examples/clean.yaml", shows("pod/clean created")),
        ("wait --for=jsonpath", shows("condition met")),
        ("logs clean", shows(f"minilm     {uid}  3.0")),
        ("-o custom-columns", lambda printed: not_there(uid, printed)),
        ("delete pod clean", run_again_to_remove_them),
    )
    listing = "import os; print(*os.listdir('/volume/minilm/.modelsync'))"
    assert sorted(kube.run_on_claim(space, "models", release.IMAGE, listing).split()) == ["accounts", "lock"]


def not_there(word: str, printed: str) -> None:
    assert word not in printed


def _with_uid(uid: str) -> str:
    return f'args: ["clean", "/volume", "--uid", "{uid}"]'


def _has_bytes(sync: kube.Object) -> bool:
    return int(sync.get("status", {}).get("progress", {}).get("bytesDone", 0)) > 0
