"""`make test`: a cluster, the image, and the whole of pytest inside the cluster's network.

The cluster is stopped whatever happens and nothing is printed after pytest's summary; the exit code is
pytest's. With KUBECONFIG set that cluster is used and left running. KEEP=1 leaves ours running as well.
"""

import os
import signal
import subprocess
import sys
from types import FrameType

from dev import image
from dev import target as targets


def main(arguments: list[str]) -> int:
    """Run pytest with these arguments; returns its exit code, or 2 when the cluster cannot be used."""
    signal.signal(signal.SIGTERM, _end)
    target = targets.current()
    try:
        target.start()
        target.load_image(image.build())
        return _pytest(target, arguments)
    except targets.TargetError as error:
        print(f"test: {error}", file=sys.stderr)
        return 2
    except subprocess.CalledProcessError as error:
        return error.returncode
    finally:
        if target.ours and not target.inside and not os.environ.get("KEEP"):
            command = [*targets.CLUSTER_TOOL, "stop"]
            subprocess.run(command, cwd=targets.REPOSITORY, capture_output=True, check=False)


def _pytest(target: targets.Target, arguments: list[str]) -> int:
    command = [*target.prefix, *targets.PYTHON, "-m", "pytest", *arguments]
    process = subprocess.Popen(command, cwd=targets.REPOSITORY)
    try:
        return process.wait()
    finally:
        # Only a signal to us leaves it running here; its own fixtures need a moment to clean up.
        if process.poll() is None:
            process.terminate()
            process.wait(60)


def _end(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
