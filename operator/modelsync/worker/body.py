"""An answer's body, read into memory that is there already.

`read1` of urllib3 makes an object for every piece, in memory that the kernel must often fetch first, and the
piece is then copied to where it belongs: measured, that cost more than all else that a transfer does in user
space. So a body of known length is read from the socket's own buffer, as far as http.client shows it; any
other goes through urllib3. Pieces that come one after the other, as TLS's records of 16 KiB do, are gathered;
what broke the connection is told after the bytes that came before it.
"""

import http.client
import io
import time

import urllib3
from urllib3.exceptions import HTTPError, ProtocolError, ReadTimeoutError

GATHER_SECONDS = 0.02


class BodyReader:
    """Reads one body, once."""

    def __init__(self, response: urllib3.BaseHTTPResponse) -> None:
        self._response = response
        self._raw = _plain(getattr(response, "_fp", None))
        self._error: HTTPError | None = None

    def read_into(self, view: memoryview) -> int:
        """Wait for bytes and tell how many came, at most the view's; 0 at the end. Raises HTTPError."""
        if self._error is not None:
            raise self._error
        enough = time.monotonic() + GATHER_SECONDS
        count = more = self._piece(view)
        try:
            while more and count < len(view) and time.monotonic() < enough:
                more = self._piece(view[count:])
                count += more
        except HTTPError as error:
            self._error = error
        return count

    def _piece(self, view: memoryview) -> int:
        if self._raw is None:
            data = self._response.read1(len(view))
            view[: len(data)] = data
            return len(data)
        return self._read_raw(self._raw, view)

    def _read_raw(self, raw: http.client.HTTPResponse, view: memoryview) -> int:
        left = raw.length or 0
        if not left:
            return 0
        try:
            count = raw.fp.readinto1(view[:left])
        except TimeoutError as error:
            raise ReadTimeoutError(None, "", "Read timed out.") from error  # type: ignore[arg-type]
        except (OSError, ValueError) as error:
            raise ProtocolError(f"Connection broken: {error!r}", error) from error
        raw.length = left - count
        if raw.length == 0:
            self._response.read()  # nothing is left: this only gives the connection back to its pool
        return count


def _plain(raw: object) -> http.client.HTTPResponse | None:
    """The library's own view of the answer, if its body is just so many bytes from the socket."""
    if not isinstance(raw, http.client.HTTPResponse) or raw.chunked or not raw.length:
        return None
    return raw if isinstance(raw.fp, io.BufferedReader) else None
