"""Sends a file's bytes: the one place where ranges, pacing, faults and the count of bytes meet."""

import asyncio
import dataclasses
import socket
import struct
from collections.abc import Callable, Mapping

from aiohttp import web

from dev.origins.hub import ranges
from dev.origins.hub.content import Content
from dev.origins.hub.faults import Sending
from dev.origins.hub.pacing import Pacer
from dev.origins.hub.ranges import Span
from dev.origins.hub.repository import File
from dev.origins.hub.state import ENTRY, STATE

_LINGER_NOT = struct.pack("ii", 1, 0)
"""SO_LINGER of 0 seconds: closing sends a reset."""


async def send(
    request: web.Request,
    file: File,
    extra: Mapping[str, str],
    form: Callable[[Content], Content] = lambda body: body,
) -> web.StreamResponse:
    """Answer a GET or HEAD of a file, with these headers besides the usual ones.

    `form` is how the content is put into the answer; faults work on the content before it.
    """
    state = request.app[STATE]
    sending = Sending(content=file.content, etag=file.etag)
    if request.method == "GET":  # a HEAD would use up a fault that is meant for bytes
        sending = state.faults.alter(request[ENTRY].server, file.path, sending)
    sending = dataclasses.replace(sending, content=form(sending.content))
    etag = f'"{sending.etag}"'
    size = sending.content.size
    span = ranges.select(request.headers, size, etag, honour_range=sending.honour_range)
    response = web.StreamResponse(status=span.status, headers={**extra, **_headers(span, size, etag)})
    request[ENTRY].status = span.status
    await response.prepare(request)
    if request.method == "GET":
        await _body(request, response, sending, span, state.pacer)
    return response


def _headers(span: Span, size: int, etag: str) -> dict[str, str]:
    headers = {"ETag": etag, "Accept-Ranges": "bytes", "Content-Type": "application/octet-stream"}
    if span.status != 304:
        headers["Content-Length"] = str(span.end - span.start)
    if span.status == 206:
        headers["Content-Range"] = f"bytes {span.start}-{span.end - 1}/{size}"
    elif span.status == 416:
        headers["Content-Range"] = f"bytes */{size}"
    return headers


async def _body(
    request: web.Request, response: web.StreamResponse, sending: Sending, span: Span, pacer: Pacer
) -> None:
    cut = sending.cut_after is not None and sending.cut_after < span.end - span.start
    end = span.start + (sending.cut_after or 0) if cut else span.end
    entry, offset = request[ENTRY], span.start
    stop = end if sending.stall_after is None else min(end, span.start + sending.stall_after)
    while offset < end:
        if offset == stop:
            await _silence(request, sending)
            stop = end
        chunk = sending.content.read(offset, min(pacer.chunk, stop - offset))
        if not chunk:
            raise ConnectionResetError("the file on disk is shorter than it was")
        await pacer.take(len(chunk))
        offset += len(chunk)
        entry.sent += len(chunk)  # before the client can have them: it may compare at once
        await response.write(chunk)
    if cut:
        await _end_connection(request, reset=sending.reset)


def denied() -> web.Response:
    """S3's and CloudFront's answer to a URL whose time is over."""
    body = "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
    return web.Response(status=403, text=body, content_type="application/xml")


async def _silence(request: web.Request, sending: Sending) -> None:
    """Send nothing until the stall is over, or the client has gone."""
    while sending.stalled() and request.transport is not None and not request.transport.is_closing():
        await asyncio.sleep(0.05)


async def _end_connection(request: web.Request, *, reset: bool) -> None:
    """Close after the bytes so far have left, so that the client sees exactly those."""
    transport = request.transport
    if transport is None:
        return
    if reset:
        while transport.get_write_buffer_size():
            await asyncio.sleep(0.001)
        raw: socket.socket = transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
        transport.abort()
    else:
        transport.close()
