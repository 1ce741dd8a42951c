"""Origins whose listings never end: a Hub and an S3 server whose pages are empty, repeat or lead back."""

import contextlib
import itertools
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COMMIT = "0" * 40


class Kind(StrEnum):
    """What the pages are."""

    EMPTY = "empty pages"
    REPEATED = "pages that repeat"
    SAME = "a page that leads to itself"
    DRIPPING = "a page that comes byte by byte"


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A worker that leaves in the middle of a page is what is tested."""


@dataclass
class Endless:
    """A server on loopback; `source` names it as `spec.source` would."""

    api: str
    """hub or s3."""
    kind: Kind
    url: str = ""
    count: Iterator[int] = field(default_factory=itertools.count)
    pages: int = 0

    @property
    def source(self) -> dict[str, Any]:
        """`spec.source`."""
        if self.api == "hub":
            return {"huggingFace": {"repository": "org/model", "endpoint": self.url}}
        return {"s3": {"bucket": "bucket", "endpoint": self.url}}

    @contextlib.contextmanager
    def serving(self) -> Iterator["Endless"]:
        """Serve until the block ends."""
        outer, stop = self, threading.Event()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1

            def do_GET(self) -> None:
                headers, body = outer.answer(self.path)
                drips = outer.kind is Kind.DRIPPING and outer.is_list(self.path)
                self.send_response(200)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body) + (1_000_000 if drips else 0)))
                self.end_headers()
                with contextlib.suppress(OSError):
                    while drips and not stop.is_set():
                        self.wfile.write(b" ")
                        self.wfile.flush()
                        stop.wait(0.1)
                    self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield self
        finally:
            stop.set()
            server.shutdown()
            server.server_close()

    def is_list(self, path: str) -> bool:
        """Whether a request is for a page of the listing."""
        return self.api == "s3" or "/tree/" in path

    def answer(self, path: str) -> tuple[dict[str, str], bytes]:
        """Headers and body."""
        self.pages += self.is_list(path)
        mark = "same" if self.kind is Kind.SAME else str(next(self.count))
        if self.api == "s3":
            entry = "<Contents><Key>a.bin</Key><Size>1</Size><ETag>&quot;0&quot;</ETag></Contents>"
            filled = entry if self.kind is not Kind.EMPTY else ""
            return {"Content-Type": "application/xml"}, (
                '<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
                f"<Name>bucket</Name><IsTruncated>true</IsTruncated>{filled}"
                f"<NextContinuationToken>{mark}</NextContinuationToken></ListBucketResult>"
            ).encode()
        if not self.is_list(path):
            return {}, f'{{"id": "org/model", "sha": "{COMMIT}", "gated": false}}'.encode()
        entry = f'{{"type": "file", "path": "a.bin", "size": 1, "oid": "{COMMIT}"}}'
        link = f'<{self.url}/api/models/org/model/tree/{COMMIT}?cursor={mark}>; rel="next"'
        return {"Link": link}, f"[{entry if self.kind is not Kind.EMPTY else ''}]".encode()
