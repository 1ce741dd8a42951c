"""Watches, by kopf: the only module that imports it.

kopf brings what is hard about watching (lists, bookmarks, reconnects, renewed credentials); of its handlers
only `on.event` is used, and each one only hands its object on. Decisions are made elsewhere, from the store.

Each watch runs in a thread with an event loop of its own, for two reasons. When kopf's operator ends, it
cancels every task of its loop that is younger than itself, no matter who made it; and it takes the signal
handlers of the process when it runs in the main thread. It does end, after a minute of 5xx or 403 or an
expired list: then it is started again, and the process lives on. What it sees of objects are envelopes (see
there), since there are some that would end it at once, each time.
"""

import asyncio
import contextlib
import logging
import random
import threading
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from typing import Any

import kopf

from modelsync.api.common.backoff import Backoff
from modelsync.runtime.cluster import api_client, envelopes
from modelsync.runtime.cluster.resources import Resource

_log = logging.getLogger(__name__)

Feed = Callable[[Resource, str | None, dict[str, Any]], object]
_NOT_SERVED = Backoff(first=1.0, cap=15.0, jitter=0.1)
_ERRORS = Backoff(first=1.0, factor=1.6, cap=30.0, jitter=0.1)
"""Between the requests of one watch that fail."""
_MOST_ERRORS = 15

_LASTING = 10.0
"""A life of so many seconds got past login and discovery, where a life that is wrongly set up ends."""


class Watch:
    """Watches some resources in some namespaces (none named: in all) and feeds what it sees."""

    def __init__(
        self,
        api: api_client.Kube,
        feed: Feed,
        resources: Sequence[Resource],
        namespaces: Sequence[str],
        *,
        on_restart: Callable[[str], None] = lambda resource: None,
        on_odd: envelopes.Report = lambda resource, found: None,
        first_wait: float = 1.0,
    ) -> None:
        self._api = api
        self._feed = feed
        self._resources = resources
        self._namespaces = namespaces
        self._on_restart = on_restart
        self._on_odd = on_odd
        self._restarts = Backoff(first=first_wait, cap=30.0, jitter=0.1)
        self._blind_since: float | None = None
        self._life: _Life | None = None

    def blind_for(self) -> float:
        """Seconds since the last watch ended without another one that lasts; 0 while one does."""
        if self._blind_since is None:
            return 0.0
        return asyncio.get_running_loop().time() - self._blind_since

    def begin_again(self) -> None:
        """List and watch again.

        After an etcd was restored a watch goes on from a version that is still to come, and hears nothing of
        what happens before that.
        """
        if self._life is not None:
            self._life.end()

    async def run(self) -> None:
        """Watch forever; whatever ends a watch, another one is begun."""
        short = 0
        loop = asyncio.get_running_loop()
        while True:
            started = loop.time()
            await self._until_served()
            lasting = loop.call_later(_LASTING, self._sees)
            await self._one_life()
            lasting.cancel()
            self._blind_since = self._blind_since or loop.time()
            short = 0 if loop.time() - started > 60 else short + 1
            for resource in self._resources:
                self._on_restart(resource.plural)
            await asyncio.sleep(self._restarts.wait(short, random=random.random()))

    def _sees(self) -> None:
        self._blind_since = None

    async def _until_served(self) -> None:
        """Wait for the resource types: kopf looks for them once, and then never again."""
        failures = 0
        for resource in self._resources:
            while not await self._is_served(resource):
                _log.warning("the API server does not serve %s yet", resource.plural)
                failures += 1
                await asyncio.sleep(_NOT_SERVED.wait(failures, random=random.random()))

    async def _is_served(self, resource: Resource) -> bool:
        if not resource.group:
            return True
        try:
            return await self._api.serves(resource)
        except api_client.ApiError:
            return False

    async def _one_life(self) -> None:
        """One run of kopf in its thread, from start to end."""
        here = asyncio.get_running_loop()
        ended: asyncio.Future[BaseException | None] = here.create_future()
        life = self._life = _Life()

        def report_end(error: BaseException | None) -> None:
            if not ended.done():
                ended.set_result(error)

        def body() -> None:
            error: BaseException | None = None
            try:
                asyncio.run(self._kopf(here, life))
            except BaseException as raised:  # whatever it was, the next life is the answer
                error = raised
            with contextlib.suppress(RuntimeError):  # this process's loop may be closed already
                here.call_soon_threadsafe(report_end, error)

        threading.Thread(target=body, name="kopf", daemon=True).start()
        try:
            error = await ended
        finally:
            life.end()
        _log.warning("watching ended (%r), beginning again", error)

    async def _kopf(self, loop: asyncio.AbstractEventLoop, life: "_Life") -> None:
        sessions: dict[api_client.Access, envelopes.Session] = {}
        try:
            await kopf.operator(
                registry=self._registry(loop, sessions),
                settings=_settings(self._resources),
                # kopf would ask for the user's name, which a numeric uid in a Pod does not have.
                identity="modelsync",  # type: ignore[arg-type]
                standalone=True,
                clusterwide=not self._namespaces,
                namespaces=self._namespaces,
                stop_flag=life.begin(),
            )
        finally:
            for session in sessions.values():
                await session.end()

    def _registry(
        self, loop: asyncio.AbstractEventLoop, sessions: dict[api_client.Access, envelopes.Session]
    ) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()

        @kopf.on.login(registry=registry, errors=kopf.ErrorsMode.TEMPORARY)
        async def login(**_: Any) -> kopf.AiohttpSession:
            access = await asyncio.wrap_future(self._access(loop))
            if access not in sessions:  # credentials that were refused are known to kopf by their session
                sessions[access] = self._session(access, loop)
            return kopf.AiohttpSession(
                server=access.server,
                aiohttp_session=sessions[access],  # type: ignore[arg-type]
            )

        for resource in self._resources:
            self._register(registry, resource, loop)
        return registry

    def _session(self, access: api_client.Access, loop: asyncio.AbstractEventLoop) -> envelopes.Session:
        info = _connection(access)
        return envelopes.session(
            self._resources,
            lambda resource, found: self._hand_over(loop, self._on_odd, resource, found),
            headers=info.as_http_headers(),
            ssl=info.as_ssl_context(),
            proxy=access.proxy or _environment_proxy(access.server),
        )

    def _hand_over(self, loop: asyncio.AbstractEventLoop, to: Callable[..., object], *what: Any) -> None:
        """Call a function in the main loop; after its end, nobody needs it."""
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(to, *what)

    def _access(self, loop: asyncio.AbstractEventLoop) -> Any:
        return asyncio.run_coroutine_threadsafe(self._api.access(), loop)

    def _register(
        self, registry: kopf.OperatorRegistry, resource: Resource, loop: asyncio.AbstractEventLoop
    ) -> None:
        @kopf.on.event(
            resource.group, resource.version, resource.plural, registry=registry, id=f"feed-{resource.plural}"
        )
        async def feed(event: Any, **_: Any) -> None:
            found, whole = envelopes.opened(event["object"])
            if not whole:
                self._hand_over(loop, self._on_odd, resource, found)
            self._hand_over(loop, self._feed, resource, event["type"], found)


class _Life:
    """A stop flag that belongs to another thread's loop (a threading.Event would hold a thread of it)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flag: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None
        self._over = False

    def begin(self) -> asyncio.Event:
        """Make the flag; in the thread that waits for it."""
        with self._lock:
            flag = asyncio.Event()
            self._flag = (asyncio.get_running_loop(), flag)
            if self._over:
                flag.set()
            return flag

    def end(self) -> None:
        """Raise the flag; from any thread."""
        with self._lock, contextlib.suppress(RuntimeError):  # its loop may have ended first
            self._over = True
            if self._flag is not None:
                self._flag[0].call_soon_threadsafe(self._flag[1].set)


def _settings(resources: Sequence[Resource]) -> kopf.OperatorSettings:
    """kopf without its own mind: no peering, no scanning, no Events, no annotations, no limits of ours."""
    settings = kopf.OperatorSettings()
    settings.peering.standalone = True
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.persistence.finalizer = "modelsync.dev/unused"
    settings.watching.server_timeout = 290
    settings.watching.client_timeout = 300
    settings.watching.connect_timeout = 10
    settings.watching.chunk_size = api_client.PAGE
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 10
    settings.networking.error_backoffs = tuple(
        _ERRORS.wait(failures, random=random.random()) for failures in range(1, _MOST_ERRORS + 1)
    )
    # A limit would let objects wait for each other's idle time: 50 slots took 200 s for 10,000 objects.
    settings.queueing.worker_limit = None
    settings.queueing.idle_timeout = 0.5
    # Its last resort is SIGKILL to the whole process; ours is to be the only one.
    settings.process.ultimate_exiting_timeout = None
    for resource in resources:
        if resource.selector:
            key = (resource.group, resource.version, resource.plural) if resource.group else resource.plural
            settings.watching.label_selectors[key] = resource.selector
    return settings


def _connection(access: api_client.Access) -> kopf.ConnectionInfo:
    return kopf.ConnectionInfo(
        server=access.server,
        ca_path=access.ca_path,
        ca_data=access.ca_data,
        insecure=access.insecure,
        scheme="Bearer" if access.token else None,
        token=access.token,
        certificate_path=access.certificate_path,
        private_key_path=access.private_key_path,
    )


def _environment_proxy(server: str) -> str | None:
    """The proxy that HTTPS_PROXY, HTTP_PROXY and NO_PROXY name for a server, as for all other requests.

    Lists through a proxy and watches past it would leave one of the two without an answer.
    """
    url = urllib.parse.urlsplit(server)
    passed_by = url.hostname is not None and urllib.request.proxy_bypass(url.hostname)
    return None if passed_by else urllib.request.getproxies().get(url.scheme)
