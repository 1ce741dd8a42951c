"""Speeds of the past that the operator keeps: read with the Pod's own token, and so never with a caller's.

The token is a projected one that the operator alone accepts. What may be asked with it is decided before:
`history.question` names the namespaces that the API server has listed for the caller, and no others.

Of several replicas the one that acts has the record, so each address of the Service is asked, the last good
one first. Pages of callers with the same rights ask the same, so an answer serves all of them for some
seconds, and an operator that is away is not waited for again and again.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from yarl import URL

from modelsync.api import naming
from modelsync.reading.history import Series
from modelsync.reading.speed_record import Question
from modelsync.web.upstream import received

_LOG = logging.getLogger(__name__)
FRESH_SECONDS = 4.0
_REST_SECONDS = 5.0
_ONE_SECONDS = 2.0
_ALL_SECONDS = 5.0
_AT_ONCE = 4
_REPLICAS = 8
_REMEMBERED = 512
_MOST_NAMESPACES = 500
"""As many as fit into a request."""
_MOST_ANSWER = 256 * 1024


@dataclass(frozen=True, slots=True)
class _Asked:
    until: float
    task: "asyncio.Task[Series | None]"


class OperatorHistory:
    """A client of the operator's port for history; `monotonic` is a clock in seconds."""

    def __init__(
        self, host: str, port: int, token_file: Path, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._host, self._port, self._token_file = host, port, token_file
        self._monotonic = monotonic
        self._asked: OrderedDict[Question, _Asked] = OrderedDict()
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._rests_until = float("-inf")
        self._acting = ""
        """Address of the replica that answered last."""
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=_ONE_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )

    async def close(self) -> None:
        """End what is under way."""
        tasks = [each.task for each in self._asked.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._session.close()

    async def read(self, question: Question) -> Series | None:
        """The answer of the operator that acts; None where there is none now."""
        if len(question.namespaces or ()) > _MOST_NAMESPACES:
            return None
        now = self._monotonic()
        known = self._asked.get(question)
        if known is None or (now >= known.until and known.task.done()):
            if now < self._rests_until:
                return None
            known = _Asked(now + FRESH_SECONDS, asyncio.ensure_future(self._ask(question)))
            self._asked[question] = known
            self._asked.move_to_end(question)
            self._forget()
        # The first who asked may go; the others wait for the same answer.
        return await asyncio.shield(known.task)

    def _forget(self) -> None:
        done = [question for question, asked in self._asked.items() if asked.task.done()]
        for question in done[: max(0, len(self._asked) - _REMEMBERED)]:
            del self._asked[question]

    async def _ask(self, question: Question) -> Series | None:
        try:
            async with self._room, asyncio.timeout(_ALL_SECONDS):
                token = self._token_file.read_text().strip()
                for address in await self._addresses():
                    found = await self._ask_one(address, question, token)
                    if found is not None:
                        self._acting = address
                        return found
        except (aiohttp.ClientError, OSError, ValueError) as error:
            _LOG.warning("the operator's history cannot be read: %s", type(error).__name__)
        else:
            _LOG.warning("the operator's history cannot be read: no replica at %s acts", self._host)
        self._rests_until = self._monotonic() + _REST_SECONDS
        return None

    async def _addresses(self) -> list[str]:
        found = await asyncio.get_running_loop().getaddrinfo(self._host, self._port, proto=6)
        addresses = sorted({str(each[4][0]) for each in found}, key=lambda each: (each != self._acting, each))
        return addresses[:_REPLICAS]

    async def _ask_one(self, address: str, question: Question, token: str) -> Series | None:
        url = URL.build(scheme="http", host=address, port=self._port, path=naming.HISTORY_PATH)
        try:
            async with self._session.get(
                url,
                params=_query(question),
                headers={"Authorization": f"Bearer {token}"},
                allow_redirects=False,
            ) as answer:
                if answer.status != 200:
                    _LOG.debug("the operator at %s answers %d", address, answer.status)
                    return None
                return Series.model_validate_json(await received(answer, _MOST_ANSWER))
        except (aiohttp.ClientError, OSError) as error:
            _LOG.debug("the operator at %s does not answer: %s", address, type(error).__name__)
            return None


def _query(question: Question) -> list[tuple[str, str]]:
    more = {"queue": question.queue, "sync": question.sync}
    namespaces = ("*",) if question.namespaces is None else question.namespaces
    return [
        ("span", question.span),
        *(("namespace", each) for each in namespaces),
        *((name, value) for name, value in more.items() if value is not None),
    ]
