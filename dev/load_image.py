"""`python -m dev.load_image`: build the image where it changed and give it to the cluster's nodes."""

import sys

from dev import image
from dev import target as targets


def main() -> int:
    """Build and load; returns the exit code."""
    try:
        targets.current().load_image(image.build())
    except targets.TargetError as error:
        print(f"load_image: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
