"""An answer's body in pieces of a good size.

Pieces that come one after the other, as TLS's records of 16 KiB do, are gathered; what broke the connection
is raised after the bytes that came before it.
"""

import time

from modelsync.worker.http.http1 import Broken, Response

GATHER_SECONDS = 0.02


class BodyReader:
    """Reads one body, once."""

    def __init__(self, response: Response) -> None:
        self._response = response
        self._error: Broken | None = None

    def read_into(self, view: memoryview) -> int:
        """Wait for bytes and return how many came, at most the view's; 0 at the end. Raises Broken."""
        if self._error is not None:
            raise self._error
        enough = time.monotonic() + GATHER_SECONDS
        count = more = self._response.read_into(view)
        try:
            while more and count < len(view) and time.monotonic() < enough:
                more = self._response.read_into(view[count:])
                count += more
        except Broken as error:
            self._error = error
        return count
