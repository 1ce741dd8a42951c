"""Writes an answer to a socket, byte by byte as a fault wants it."""

import socket
import struct
import threading
import time
from dataclasses import dataclass

from dev.origins.serving.log import Entry
from dev.origins.serving.messages import Answer, Ending, Role
from dev.origins.serving.pacing import Pacer

LINGER_NOT = struct.pack("ii", 1, 0)
"""SO_LINGER of 0 seconds: closing sends a reset."""
_LOOK_SECONDS = 0.05
"""How often a held answer looks whether it is released."""


@dataclass(frozen=True, slots=True)
class Wire:
    """A connection, the rate that it shares, and the event that ends all waiting."""

    socket: socket.socket
    pacer: Pacer
    closing: threading.Event

    def send(self, answer: Answer, entry: Entry, *, body: bool) -> bool:
        """Write an answer; returns whether the connection goes on. Raises OSError when the client leaves."""
        entry.status = answer.status
        if answer.stall_after == -1 and not self._held(answer):
            return False
        if answer.begins_after and self.closing.wait(answer.begins_after):
            return False
        if not self._head(answer) or (body and not self._body(answer, entry)):
            return False
        if answer.extra:
            self.socket.sendall(answer.extra)
        return answer.ending is Ending.KEEP

    def _head(self, answer: Answer) -> bool:
        if not answer.head_bytes_per_second:
            self.socket.sendall(answer.head)
            return True
        for byte in answer.head:
            self.socket.sendall(bytes([byte]))
            if self.closing.wait(1 / answer.head_bytes_per_second):
                return False
        return True

    def _body(self, answer: Answer, entry: Entry) -> bool:
        entry.span = answer.start, answer.end
        left = answer.end - answer.start if answer.cut_after is None else answer.cut_after
        started, sent, stall = time.monotonic(), 0, answer.stall_after
        for piece in answer.formed.pieces(answer.start, answer.end):
            view = piece[: max(0, left - sent)]
            while view:
                if stall is not None and sent >= stall:
                    if not self._held(answer):
                        return False
                    stall = None
                count = self._step(answer, len(view), None if stall is None else stall - sent)
                self.pacer.take(count)
                self._piece(answer, view[:count], entry)
                sent, view = sent + count, view[count:]
                if answer.bytes_per_second:
                    due = started + sent / answer.bytes_per_second
                    if self.closing.wait(max(0.0, due - time.monotonic())):
                        return False
        if stall is not None and sent >= stall and not self._held(answer):
            return False
        return self._finished(answer)

    def _finished(self, answer: Answer) -> bool:
        if answer.cut_after is not None:
            self._end(answer.ending)
            return False
        if answer.chunked:
            self.socket.sendall(b"0\r\n\r\n")
        return True

    def _held(self, answer: Answer) -> bool:
        """Wait until a stall is over; returns False when the origin ends before."""
        while not answer.released.wait(_LOOK_SECONDS):
            if self.closing.is_set():
                return False
        return not self.closing.is_set()

    def _step(self, answer: Answer, wanted: int, until_stall: int | None) -> int:
        """How many bytes may go at once: up to a stall, and in small steps when slow."""
        wanted = min(wanted, self.pacer.step)
        if until_stall is not None:
            wanted = min(wanted, until_stall)
        if answer.bytes_per_second:
            wanted = min(wanted, max(1, int(answer.bytes_per_second / 20)))
        return wanted

    def _piece(self, answer: Answer, view: memoryview, entry: Entry) -> None:
        """Send bytes; they count before, as the client may compare at once, and not if it leaves."""
        counts = entry.role is Role.DATA and answer.found is not None and answer.status in (200, 206)
        entry.sent += len(view) * counts
        if answer.chunked:
            self.socket.sendall(b"%x\r\n" % len(view) + view + b"\r\n")
            return
        while view:
            try:
                view = view[self.socket.send(view) :]
            except OSError:
                entry.sent -= len(view) * counts
                raise

    def _end(self, ending: Ending) -> None:
        if ending is Ending.RESET:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
        self.socket.close()
