"""`make demo`: the main job on a bare machine, from nothing to a model that a Pod opens.

A real Kubernetes comes up, Helm installs the operator, a ModelSync is applied and `kubectl get modelsyncs -w`
shows it until Complete. Then every file on the volume is compared with the origin and a Pod that mounts the
claim opens the tensors and the tokenizer. The exit code is 0 only if all of that held.
"""

import contextlib
import os
import sys
import time

from dev import image, occupied
from dev import target as targets
from dev.demo import origin as origins
from dev.demo import steps

RATE = "3MB"


def main() -> int:
    """Run the demo; returns the exit code."""
    begun, target = time.monotonic(), targets.current()
    keep = bool(os.environ.get("KEEP"))
    model = os.environ.get("MODEL")
    started = used = False
    try:
        steps.say("1/6", "a Kubernetes cluster")
        started = target.start(uplink=bool(model))
        occupied.make_room(occupied.Maker.DEMO, target.prefix)
        used = True
        steps.say("2/6", "the image")
        target.load_image(image.build())
        target.load_image(image.build_reader())
        with contextlib.ExitStack() as stack:
            chosen = origins.real_hub(model) if model else origins.local(target, RATE)
            origin = stack.enter_context(chosen)
            correct = steps.run(target, origin)
        took = time.monotonic() - begun
        print(f"\n{'All is well' if correct else 'FAILED'}, after {took:.0f} s.", flush=True)
        return 0 if correct else 1
    except targets.TargetError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2
    finally:
        _finish(target, keep=keep, used=used, started=started)


def _finish(target: targets.Target, *, keep: bool, used: bool, started: bool) -> None:
    """Leave the cluster to look around, or as it was before."""
    if keep and used:
        steps.say_how_to_look_around(target)
        return
    if used:
        steps.clean_up(target)
    if started:
        target.stop()
    if used:
        print(
            "Cleaned up. `make demo KEEP=1` leaves the cluster running and says how to look around.",
            flush=True,
        )


if __name__ == "__main__":
    sys.exit(main())
