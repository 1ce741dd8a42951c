"""The ports of the operator: whoever can connect takes no memory of it and no probe."""

import threading
from collections.abc import Callable, Iterator

from tests.attacks.case import Attack, Ground, Outcome
from tests.runtime import floods, served

_HOST, _ATTACKER, _KUBELET, _PROMETHEUS = "127.0.0.1", "127.66.0.1", "127.0.0.1", "127.0.0.3"
_MOST_MEMORY = 8 * 1024 * 1024
_SHORT = ("unfinished heads of 800 KB", "answers that nobody reads")
Flood = Callable[[int, float], int]


def _floods(full: bool) -> dict[str, Flood]:
    kinds = floods.KINDS if full else _SHORT
    held: dict[str, Flood] = {
        kind: lambda port, seconds, kind=kind: floods.hold(kind, _HOST, port, seconds, _ATTACKER)  # type: ignore[misc]
        for kind in kinds
    }
    return {**held, "requests without a pause": lambda *what: floods.hurry(_HOST, *what, _ATTACKER)}


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


ATTACKS = (Attack(topic="ports", name="floods of the operator's ports", how=Ground.LOOPBACK, run=flooded),)
