"""The operator's ports, and the values that others hand it: none takes its memory, a status or a terminal."""

import functools
import http.server
import inspect
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator

from dev import kube
from modelsync.api import naming
from tests.attacks import users
from tests.attacks.case import Attack, Ground, Outcome
from tests.e2e import release
from tests.runtime import floods, hostile, served, tenants

_HOST, _ATTACKER, _KUBELET, _PROMETHEUS = "127.0.0.1", "127.66.0.1", "127.0.0.1", "127.0.0.3"
_MOST_MEMORY = 8 * 1024 * 1024
_SHORT = ("unfinished heads of 800 KB", "answers that nobody reads")
Flood = Callable[..., int]


def _floods(full: bool) -> dict[str, Flood]:
    kinds = floods.KINDS if full else _SHORT
    held: dict[str, Flood] = {
        kind: functools.partial(floods.hold, kind, _HOST, source=_ATTACKER) for kind in kinds
    }
    return {**held, "requests without a pause": functools.partial(floods.hurry, _HOST, source=_ATTACKER)}


def _probed(flood: Flood, port: int, seconds: float, health: int, metrics: int) -> str:
    """Flood one port while both are asked as the kubelet and Prometheus do."""
    flooding = threading.Thread(target=flood, args=(port, seconds))
    flooding.start()
    problems, asked = set(), 0
    while flooding.is_alive():
        asked += 1
        problems.add(floods.probe(_HOST, health, "/healthz", _KUBELET))
        problems.add(floods.probe(_HOST, metrics, "/metrics", _PROMETHEUS))
        flooding.join(0.2)
    problems.discard("")
    return f"of {asked} probes: {', '.join(sorted(problems))}" if problems else ""


def flooded(full: bool) -> Iterator[Outcome]:
    """Each flood against the two ports, by processes on loopback with addresses of their own."""
    with served.serving() as found:
        floods.probe(_HOST, found.metrics_port, "/metrics")
        ports = ((found.metrics_port, "metrics"), (found.health_port, "health"))
        for name, flood in _floods(full).items():
            for port, word in ports if full else ports[:1]:
                before = found.memory()
                problem = _probed(flood, port, 3.0 if full else 0.5, found.health_port, found.metrics_port)
                grown = found.memory("VmHWM") - before
                if not problem and grown > _MOST_MEMORY:
                    problem = f"{grown / 2**20:.0f} MiB more memory"
                yield f"{name}, port for {word}", problem


def flooded_by_pods(full: bool) -> Iterator[Outcome]:
    """All floods at once, each by a Pod of another namespace, every second one against the probes' port."""
    kinds = (*floods.KINDS, "hurry", "hurry")
    seconds = 20 if full else 6
    operator = release.operator_pod()
    address, before = operator["status"]["podIP"], _state(operator)
    with kube.namespace("attack-ports") as space:
        ports = (naming.METRICS_PORT, naming.HEALTH_PORT)
        kube.apply(
            *(
                _flooding(f"flood-{number}", space, kind, address, ports[number % 2], seconds)
                for number, kind in enumerate(kinds)
            )
        )
        problems, asked, end = set(), 0, time.monotonic() + 90
        while time.monotonic() < end and len(_ended(space)) < len(kinds):
            asked += 1
            problems.add(floods.probe(address, naming.HEALTH_PORT, "/readyz"))
        problems.discard("")
        yield f"{asked} probes meanwhile", ", ".join(sorted(problems))
        ended = _ended(space)
        yield f"{len(kinds)} Pods flood", "" if len(ended) == len(kinds) else f"only {ended} ran"
        after = _state(release.operator_pod())
        yield "the kubelet's probes", "" if after == before else f"{before} before, {after} after"


def hostile_values(full: bool) -> Iterator[Outcome]:
    """Every kind of text, and numbers that cannot be, in every place of reports, Pods, Jobs and Events."""
    for name, text in hostile.TEXTS.items():
        for where, world in hostile.worlds_of(text):
            yield f"{name} in {where}", "; ".join(world.problems())
    for number in hostile.NUMBERS:
        for where, world in hostile.worlds_of_number(number):
            yield f"{number} in {where}", "; ".join(world.problems())


def stored(full: bool) -> Iterator[Outcome]:
    """The statuses that hostile values lead to, as the API server takes them."""
    with kube.namespace("attack-values") as space:
        kube.apply(kube.sync("llama", space, {"huggingFace": {"repository": "org/name"}}, suspend=True))
        for name, text in hostile.TEXTS.items():
            for where, world in hostile.worlds_of(text):
                (status,) = world.plan().statuses.values()
                refusal = users.patch("", space, "llama", {"status": status.dump()}, sub="status")
                yield f"{name} in {where}", refusal[-300:]
                if not full:
                    break


def others_held_up(full: bool) -> Iterator[Outcome]:
    """Polls, limits, transitions and Events of one tenant beside those who take all that they can."""
    for spaces in (1, 40) if full else ():  # tests/runtime/test_shares.py holds the short forms
        for seconds in (0.95, 9.0):
            polls = tenants.polls_beside(1000, spaces=spaces, answer_after=seconds, seconds=20)
            # Where 40 namespaces take all they can, a limit may wait for one time-out of a second.
            late = polls.longest_gap > 4.0 or polls.limit_after > 1.2
            yield f"1,000 workers that take {seconds} s, {spaces} namespaces", f"{polls}" if late else ""
        wait = tenants.event_beside(8000 // spaces, spaces=spaces)
        yield f"8,000 Events, {spaces} namespaces", "" if wait <= 1.0 else f"{wait:.1f} s"
    # Each of 1,000 busy namespaces has a write in 50 s, so what comes more seldom than that is next.
    for count, spaces, idle in ((1000, 1, 5), (25, 40, 5), (1, 1000, 60)) if full else ((300, 1, 5),):
        writes = tenants.writes_beside(count, spaces=spaces, turns=2, idle=idle)
        yield (
            f"{count} objects that change as they are written in each of {spaces} namespaces",
            "" if writes.longest <= 2.0 else f"a transition took {writes.longest:.1f} s",
        )


_HEADERS = ("Content-Encoding", "Location", "Content-Range")


def headers_on_a_terminal(full: bool) -> Iterator[Outcome]:
    """`modelsync pull` from an origin whose headers hold what drives a terminal."""
    texts = {"C1": b"\x9b31m\x9d0;title\x9c", "RLO": "\u202egnp.exe".encode(), "ESC": b"\x1b[2J\x07"}
    for header in _HEADERS if full else _HEADERS[:1]:
        for name, value in texts.items() if full else list(texts.items())[:1]:
            printed = _pulled(header.encode(), value)
            shown = [line for line in printed.splitlines() if not line.isprintable()]
            yield f"{name} in {header}", f"printed {shown!r}" if shown else ""


def _pulled(header: bytes, value: bytes) -> str:
    """What `modelsync pull` prints of an answer with a header."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status = b"302" if header == b"Location" else b"206" if header == b"Content-Range" else b"200"
            self.wfile.write(
                b"HTTP/1.1 %s \x9b31m\r\nConnection: close\r\n%s: %s\r\n\r\n" % (status, header, value)
            )

        do_HEAD = do_GET

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base class names it)
            pass

    with (
        http.server.ThreadingHTTPServer((_HOST, 0), Handler) as server,
        tempfile.TemporaryDirectory() as place,
    ):
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        url = f"http://{_HOST}:{server.server_port}/file.bin"
        surroundings = {"HF_DOWNLOAD_MAX_RETRIES": "0", "HF_HUB_DOWNLOAD_TIMEOUT": "2"}
        done = subprocess.run(
            [sys.executable, "-m", "modelsync", "pull", url, "--to", f"{place}/to"],
            env=os.environ | surroundings,
            capture_output=True,
            timeout=60,
            check=False,
        )
        server.shutdown()
    assert done.returncode, "the pull succeeded, so nothing was tried"
    return (done.stdout + done.stderr).decode("utf-8", "surrogateescape")


def _state(operator: kube.Object) -> tuple[object, ...]:
    """The Pod, its restarts, and since when it is ready."""
    status = operator["status"]
    ready = next(each for each in status["conditions"] if each["type"] == "Ready")
    restarts = status["containerStatuses"][0]["restartCount"]
    return operator["metadata"]["uid"], restarts, ready["status"], ready["lastTransitionTime"]


def _flooding(name: str, space: str, kind: str, address: str, port: int, seconds: float) -> kube.Object:
    pod = kube.pod_on_claim(name, space, "none", release.IMAGE, inspect.getsource(floods))
    (container,) = pod["spec"]["containers"]
    container["command"] += [kind, address, str(port), str(seconds)]
    del container["volumeMounts"], pod["spec"]["volumes"]
    return pod


def _ended(space: str) -> list[str]:
    pods = kube.get("pods", namespace=space)
    return [pod["metadata"]["name"] for pod in pods if pod["status"].get("phase") == "Succeeded"]


ATTACKS = (
    Attack(topic="ports", name="floods of the operator's ports", how=Ground.LOOPBACK, run=flooded),
    Attack(
        topic="ports",
        name="floods of the operator's ports by Pods",
        how=Ground.CLUSTER,
        run=flooded_by_pods,
        in_tests=False,
    ),
    Attack(topic="shares", name="a tenant held up by others", how=Ground.CODE, run=others_held_up),
    Attack(
        topic="values", name="hostile values of workers, Pods and Jobs", how=Ground.CODE, run=hostile_values
    ),
    Attack(topic="values", name="statuses made of hostile values", how=Ground.CLUSTER, run=stored),
    Attack(
        topic="values", name="hostile headers on a terminal", how=Ground.LOOPBACK, run=headers_on_a_terminal
    ),
)
