"""From `spec.source` to the source that reads it; each kind's library is imported only when it is needed."""

import threading
from pathlib import Path

from modelsync.api import sources as api
from modelsync.api.reasons import Reason
from modelsync.worker.connecting import Network
from modelsync.worker.credentials import Credentials, Given, SecretDirectory
from modelsync.worker.failures import Failure
from modelsync.worker.model import Source
from modelsync.worker.stages import Stages


def mounted_credentials(source: api.Source, directory: Path) -> Credentials:
    """The credentials of a source in a Pod, where its Secret, if it names one, is mounted at `directory`."""
    field_path = f"spec.source.{source.kind}.secretRef"
    name = source.secret_name
    if name is None:
        return Given(where=field_path)
    return SecretDirectory(path=directory, name=name, field_path=field_path)


def open_source(
    source: api.Source,
    credentials: Credentials,
    network: Network,
    *,
    stop: threading.Event | None = None,
    stages: Stages | None = None,
) -> Source:
    """The source that `spec.source` describes; nothing is asked yet.

    `stop` ends waits between tries, `stages` hears how far a listing is.
    """
    stages = stages or Stages()
    if source.hugging_face is not None:
        from modelsync.worker.sources import hub

        return hub.HubSource(source.hugging_face, credentials, network, stop, stages)
    if source.s3 is not None:
        from modelsync.worker.sources import s3

        return s3.BucketSource(source.s3, credentials, network, stages)
    if source.http is not None:
        from modelsync.worker.sources import http

        return http.WebSource(source.http, credentials, network, stop or threading.Event(), stages)
    raise Failure(Reason.INVALID_SPEC, "spec.source names none of huggingFace, s3, http. Name one.")
