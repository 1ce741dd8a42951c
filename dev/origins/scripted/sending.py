"""Writes an answer to a socket, byte by byte as a fault wants it."""

import http.client
import socket
import struct
import threading
import time
from dataclasses import dataclass

from dev.origins.scripted.log import Entry
from dev.origins.scripted.messages import Answer, Ending

STALL_SECONDS = 30.0
"""A stall ends by then even if nobody ends the origin."""
_LINGER_NOT = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Wire:
    """A connection, and the event that ends all waiting."""

    socket: socket.socket
    closing: threading.Event

    def send(self, answer: Answer, entry: Entry, *, body: bool) -> bool:
        """Write an answer; tells whether the connection goes on. Raises OSError when the client leaves."""
        entry.status = answer.status
        if answer.stall_after == -1:
            self.closing.wait(STALL_SECONDS)
            return False
        if answer.begins_after and self.closing.wait(answer.begins_after):
            return False
        self.socket.sendall(_head(answer) if answer.lines is None else answer.lines)
        if body and not self._body(answer, entry):
            return False
        if answer.extra:
            self.socket.sendall(answer.extra)
        return answer.ending is Ending.KEEP

    def _body(self, answer: Answer, entry: Entry) -> bool:
        entry.span = answer.start, answer.end
        left = answer.end - answer.start if answer.cut_after is None else answer.cut_after
        started, sent = time.monotonic(), 0
        for piece in answer.content.pieces(answer.start, answer.end):
            view = piece[: max(0, left - sent)]
            while view:
                count = self._allowed(answer, sent, len(view))
                if count == 0:
                    self.closing.wait(STALL_SECONDS)
                    return False
                self._piece(answer, view[:count], entry)
                sent, view = sent + count, view[count:]
                if answer.bytes_per_second:
                    due = started + sent / answer.bytes_per_second
                    if self.closing.wait(max(0.0, due - time.monotonic())):
                        return False
        if answer.stall_after is not None and sent >= answer.stall_after:
            self.closing.wait(STALL_SECONDS)
            return False
        if answer.cut_after is not None:
            self._end(answer.ending)
            return False
        if answer.chunked:
            self.socket.sendall(b"0\r\n\r\n")
        return True

    def _allowed(self, answer: Answer, sent: int, wanted: int) -> int:
        """How many bytes may go at once: up to a stall, and in small steps when slow."""
        if answer.stall_after is not None:
            wanted = min(wanted, answer.stall_after - sent)
        if answer.bytes_per_second:
            wanted = min(wanted, max(1, int(answer.bytes_per_second / 20)))
        return max(0, wanted)

    def _piece(self, answer: Answer, view: memoryview, entry: Entry) -> None:
        if answer.chunked:
            self.socket.sendall(b"%x\r\n" % len(view) + view + b"\r\n")
        else:
            self.socket.sendall(view)
        entry.sent += len(view)

    def _end(self, ending: Ending) -> None:
        if ending is Ending.RESET:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
        self.socket.close()


def _head(answer: Answer) -> bytes:
    lines = [f"HTTP/1.1 {answer.status} {http.client.responses.get(answer.status, 'Odd')}"]
    lines += [f"{name}: {value}" for name, value in answer.headers.items() if value]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
