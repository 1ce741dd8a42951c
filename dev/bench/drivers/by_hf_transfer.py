"""hf_transfer over a list of URLs: `by_hf_transfer.py LIST`, a JSON list of [url, path].

As huggingface_hub called it while it did: 10 MB chunks, up to 8 files at once, parts of large ones beside
each other.
"""

import concurrent.futures
import json
import os
import sys

import hf_transfer

CHUNK_BYTES = 10_000_000
CONNECTIONS, AT_ONCE = 16, 8


def main() -> int:
    """Fetch all; an error ends with a traceback."""
    with open(sys.argv[1], encoding="utf-8") as file:
        wanted: list[tuple[str, str]] = json.load(file)
    each = CONNECTIONS if len(wanted) == 1 else CONNECTIONS // AT_ONCE
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda item: _fetch(each, *item), wanted))
    return 0


def _fetch(connections: int, url: str, path: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    hf_transfer.download(
        url, path, connections, CHUNK_BYTES, parallel_failures=min(3, connections - 1), max_retries=5
    )


if __name__ == "__main__":
    sys.exit(main())
