"""The SHA-256 pass that engines without one get: `verify.py MANIFEST FOLDER [--fsync]`, two files at once.

hashlib lets go of the interpreter while it hashes, so this is as fast as OpenSSL is; imports nothing else, as
its start counts too.
"""

import concurrent.futures
import hashlib
import json
import os
import sys


def main() -> int:
    """Return 1 when a file is not what the manifest says."""
    manifest, folder, *more = sys.argv[1:]
    with open(manifest, encoding="utf-8") as file:
        expected: dict[str, str] = json.load(file)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        wrong = [
            path
            for path in pool.map(lambda item: _wrong(folder, bool(more), *item), expected.items())
            if path
        ]
    for path in wrong:
        print(f"wrong: {path}", file=sys.stderr)
    return 1 if wrong else 0


def _wrong(folder: str, fsync: bool, path: str, sha256: str) -> str | None:
    with open(os.path.join(folder, path), "rb", buffering=0) as file:
        if fsync:
            os.fsync(file.fileno())
        return None if hashlib.file_digest(file, "sha256").hexdigest() == sha256 else path


if __name__ == "__main__":
    sys.exit(main())
