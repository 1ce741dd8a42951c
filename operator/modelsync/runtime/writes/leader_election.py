"""Leader election on a Lease, by the algorithm of Kubernetes' client-go.

Expiry is judged by this process's own monotonic clock since the record last changed, never by comparing two
machines' clocks. Whatever goes wrong while renewing (the API, the network, a timeout) is one failed try; when
no try succeeded before the renew deadline, this process does not lead any more, *before* the lease can pass
to another one. Safety does not rest on it: Job names are deterministic and transitions carry a
resourceVersion. The lease saves two operators from working against each other.

The Lease also hands on the key by which an operator knows the Jobs of the one before it (`job_signatures`):
it is the one object that outlives a process and that no user of ModelSyncs reads.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from modelsync import errors
from modelsync.api import naming
from modelsync.runtime.cluster import api_client, job_signatures
from modelsync.runtime.cluster.resources import LEASES

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long a lease holds; client-go's defaults, in seconds."""

    duration: float = 15.0
    renew_deadline: float = 10.0
    retry_period: float = 2.0


class Elector:
    """Wins, keeps and gives back the lease."""

    def __init__(
        self,
        api: api_client.Kube,
        *,
        namespace: str,
        identity: str,
        succeeds: str | None = None,
        timing: Timing = Timing(),
        proving: job_signatures.Proofs | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._api = api
        self._namespace = namespace
        self._identity = identity
        self._succeeds = succeeds
        self._timing = timing
        self._proving = proving or job_signatures.Proofs()
        self._clock = clock
        self._sleep = sleep
        self._seen: dict[str, Any] = {}
        self._seen_at = 0.0
        self._good_until = float("-inf")
        self._leading = False
        self.tried = asyncio.Event()
        """Set once the first try to take the lease has ended, either way."""

    @property
    def is_leading(self) -> bool:
        """Whether this process may act: it leads, and its last renewal is recent enough."""
        return self._leading and self._clock() < self._good_until

    async def acquire(self) -> None:
        """Return once this process leads."""
        while not await self._try():
            self.tried.set()
            await self._pause()
        self._leading = True
        self.tried.set()
        _log.info("leading as %s", self._identity)

    async def hold(self) -> None:
        """Renew until that fails for the renew deadline; then raise LeaseLost."""
        while True:
            await self._pause()
            if not await self._try() and (self._held_by_other() or self._clock() >= self._good_until):
                self._leading = False
                raise errors.LeaseLost(self._how_lost())

    async def release(self) -> None:
        """Give the lease back, so that another operator need not wait until it expires."""
        if not self._leading:
            return
        self._leading = False  # before the lease is free: its next holder must find nobody that acts
        with contextlib.suppress(Exception):  # it runs out by itself
            async with asyncio.timeout(2):
                lease = await self._api.get(LEASES, self._namespace, naming.LEASE_NAME)
                if lease["spec"].get("holderIdentity") == self._identity:
                    # client-go's own choice of a duration that expires at once.
                    lease["spec"] |= {"holderIdentity": "", "leaseDurationSeconds": 1}
                    await self._api.replace(LEASES, self._namespace, naming.LEASE_NAME, lease)

    def _how_lost(self) -> str:
        lease = f"the lease {self._namespace}/{naming.LEASE_NAME}"
        if self._held_by_other():
            return f"{lease} is lost to {self._seen['holderIdentity'] or 'nobody'}"
        return f"{lease} could not be renewed for {self._timing.renew_deadline:g} s"

    def _held_by_other(self) -> bool:
        return self._seen.get("holderIdentity") not in (self._identity, None)

    async def _pause(self) -> None:
        """The retry period with jitter, and never past the moment when the lease runs out for us."""
        wait = self._timing.retry_period * random.uniform(1.0, 1.2)
        if self._leading:
            wait = min(wait, max(0.05, self._good_until - self._clock()))
        await self._sleep(wait)

    async def _try(self) -> bool:
        """One try to take or renew the lease; returns whether this process holds it now."""
        began = self._clock()
        limit = self._timing.renew_deadline / 2
        if self._leading:
            limit = max(0.05, min(limit, self._good_until - began))
        try:
            async with asyncio.timeout(limit):
                won = await self._take()
        except Exception as error:  # also an odd Lease: a failed try, and never the end of the operator
            _log.warning("cannot renew or take the lease: %s", str(error) or type(error).__name__)
            return False
        if won:
            # From before the request was sent: the server may have stored it at any moment since.
            self._good_until = began + self._timing.renew_deadline
        return won

    async def _take(self) -> bool:
        try:
            lease = await self._api.get(LEASES, self._namespace, naming.LEASE_NAME)
        except api_client.NotFound:
            return await self._create()
        spec = lease.get("spec") or {}
        # By our own clock, since the holder's may be wrong: what counts is that the record still changes.
        if spec != self._seen:
            self._seen, self._seen_at = dict(spec), self._clock()
        holder = spec.get("holderIdentity") or ""
        if not self._is_free(holder) and not self._is_expired(spec):
            return False
        lease["spec"] = self._spec(spec, renewing=holder == self._identity)
        key = self._keep_key(lease.setdefault("metadata", {}))
        try:
            stored = await self._api.replace(LEASES, self._namespace, naming.LEASE_NAME, lease)
        except api_client.Conflict:
            return False
        # Only with the Lease stored: a key that lost the race would sign Jobs that no other operator knows.
        if not self._leading:
            self._proving.use(key)
        self._seen, self._seen_at = dict(stored.get("spec") or {}), self._clock()
        return True

    def _keep_key(self, meta: dict[str, Any]) -> str:
        """The key of the proofs that the Lease holds; ours, put onto it, where it holds none or we lead."""
        annotations = meta.get("annotations") or {}
        stored = annotations.get(naming.PROOF_KEY_ANNOTATION)
        key = self._proving.key if self._leading or not stored else str(stored)
        meta["annotations"] = {**annotations, naming.PROOF_KEY_ANNOTATION: key}
        return key

    def _is_free(self, holder: str) -> bool:
        """Whether nobody can be acting on the lease: given back, ours, or of this Pod's dead predecessor.

        A container of a Pod starts only after the one before has ended, so a lease that an earlier process of
        the same Pod held need not be waited for.
        """
        if holder in ("", self._identity):
            return True
        return (
            not self._leading and self._succeeds is not None and holder.rpartition("_")[0] == self._succeeds
        )

    def _is_expired(self, spec: dict[str, Any]) -> bool:
        duration = float(spec.get("leaseDurationSeconds") or self._timing.duration)
        return self._clock() >= self._seen_at + duration

    async def _create(self) -> bool:
        body: dict[str, Any] = {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": {"name": naming.LEASE_NAME, "namespace": self._namespace},
            "spec": self._spec({}, renewing=False),
        }
        self._keep_key(body["metadata"])
        try:
            stored = await self._api.create(LEASES, self._namespace, body)
        except api_client.Conflict:
            return False
        self._seen, self._seen_at = dict(stored.get("spec") or {}), self._clock()
        return True

    def _spec(self, old: dict[str, Any], *, renewing: bool) -> dict[str, Any]:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return {
            **old,
            "holderIdentity": self._identity,
            "leaseDurationSeconds": max(1, round(self._timing.duration)),
            "acquireTime": (old.get("acquireTime") if renewing else None) or now,
            "renewTime": now,
            "leaseTransitions": int(old.get("leaseTransitions") or 0) + (0 if renewing or not old else 1),
        }
