"""How an operator knows the Jobs that it or its predecessor made, without asking anybody.

The uid of an attempt's Job stands in its ModelSync's status, but only after the Job is there; an operator
that dies in between leaves one that is recorded nowhere, and so does a ModelSync that is deleted as an
orphan's owner. Labels, names and owners prove nothing: anyone who may create Jobs writes them. So every Job,
and through its template every Pod, carries for whom it was made and a keyed hash of that. The key is in the
operator's Lease, which nobody reads who has no rights in the operator's namespace, and the Lease outlives the
process.

A copy proves nothing either. The hash covers namespace and name, and the time at which it was made: what the
API server created long after that is a copy. Within that time a copy has to replace the Job that it was taken
from.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from modelsync.api import naming

FRESH = timedelta(minutes=5)
"""How far the creation of an object may be from its proof: a time-out of the client, a Pod that waits for a
quota, two clocks."""
_KEY_BYTES = 32
_JOB_NAME_LABELS = ("batch.kubernetes.io/job-name", "job-name")


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What a Job was made for."""

    sync_uid: str
    attempt: int
    queue: str
    """The queue whose slot it took."""


class Proofs:
    """Makes and checks proofs with the installation's key: a new one until `use` brings the stored one."""

    def __init__(self) -> None:
        self._key = secrets.token_hex(_KEY_BYTES)

    @property
    def key(self) -> str:
        """The key, as it is stored."""
        return self._key

    def use(self, key: str) -> None:
        """Take the key that an operator before this one has stored."""
        self._key = key

    def sign(self, manifest: dict[str, Any], made: Made, now: datetime) -> None:
        """Put the proof onto a Job's manifest and onto the template of its Pods."""
        claims = f"{int(now.timestamp())}/{made.attempt}/{made.sync_uid}/{made.queue}"
        meta = manifest["metadata"]
        proof = f"{claims}/{self._mac(meta['namespace'], meta['name'], claims)}"
        template = manifest.get("spec", {}).get("template")
        for where in [meta] if template is None else [meta, template.setdefault("metadata", {})]:
            where.setdefault("annotations", {})[naming.PROOF_ANNOTATION] = proof

    def of_job(self, meta: dict[str, Any], created: datetime) -> Made | None:
        """What a Job was made for, by its metadata; None for one that no operator made."""
        return self._read(meta, str(meta.get("name", "")), created)

    def of_pod(self, meta: dict[str, Any], created: datetime) -> Made | None:
        """What a Pod's Job was made for; None also for a Pod that came long after its Job."""
        labels = meta.get("labels")
        labels = labels if isinstance(labels, dict) else {}
        job = next((labels[label] for label in _JOB_NAME_LABELS if label in labels), "")
        return self._read(meta, str(job), created)

    def _read(self, meta: dict[str, Any], job: str, created: datetime) -> Made | None:
        annotations = meta.get("annotations")
        text = annotations.get(naming.PROOF_ANNOTATION) if isinstance(annotations, dict) else None
        claims, _, mac = text.rpartition("/") if isinstance(text, str) else ("", "", "")
        # Compared as bytes, since a text that is not ASCII would raise.
        if not hmac.compare_digest(self._mac(meta.get("namespace", ""), job, claims).encode(), mac.encode()):
            return None
        # Only an operator can have written what follows.
        stamp, attempt, sync_uid, queue = claims.split("/", 3)
        if abs(created.timestamp() - int(stamp)) > FRESH.total_seconds():
            return None
        return Made(sync_uid=sync_uid, attempt=int(attempt), queue=queue)

    def _mac(self, namespace: str, job: str, claims: str) -> str:
        said = "\n".join((namespace, job, claims)).encode(errors="surrogatepass")
        return hmac.new(self._key.encode(), said, hashlib.sha256).hexdigest()
