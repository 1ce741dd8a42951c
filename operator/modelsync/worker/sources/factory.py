"""From `spec.source` to the source that reads it; each kind's library is imported only when it is needed."""

import threading
from collections.abc import Iterator
from pathlib import Path

from modelsync.api.reasons import Reason
from modelsync.api.source import sources as api
from modelsync.worker.common.failures import Failure
from modelsync.worker.common.model import FileSource
from modelsync.worker.http import urls
from modelsync.worker.http.connector import Network
from modelsync.worker.progress.stages import Stages
from modelsync.worker.sources.credentials import Credentials, Given, SecretDirectory


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
    named_by_origin: bool = False,
) -> FileSource:
    """The source that `spec.source` describes; nothing is asked yet.

    `stop` ends waits between tries, `stages` hears how far a listing is. With `named_by_origin` the files of
    a list of URLs take the names that the answers give them.
    """
    _check_urls(source)
    stages = stages or Stages()
    if source.hugging_face is not None:
        from modelsync.worker.sources.hub import repositories

        return repositories.HubSource(source.hugging_face, credentials, network, stop, stages)
    if source.s3 is not None:
        from modelsync.worker.sources.s3 import buckets

        return buckets.BucketSource(source.s3, credentials, network, stop, stages)
    if source.http is not None:
        from modelsync.worker.sources import http

        return http.WebSource(
            source.http,
            credentials,
            network,
            stop or threading.Event(),
            stages,
            named_by_origin=named_by_origin,
        )
    raise Failure(Reason.INVALID_SPEC, "spec.source names none of huggingFace, s3, http. Name one.")


def _check_urls(source: api.Source) -> None:
    """Each library would refuse a malformed URL in its own way, or only when it connects."""
    for field, text in _urls(source):
        try:
            urls.parsed(text)
        except ValueError as error:
            message = f"{field}: {urls.shown(text)} cannot be asked: {error}. Correct it."
            raise Failure(Reason.INVALID_SPEC, message) from error


def _urls(source: api.Source) -> Iterator[tuple[str, str]]:
    """The URLs that a source names, and their fields."""
    if source.hugging_face is not None and source.hugging_face.endpoint is not None:
        yield "spec.source.huggingFace.endpoint", source.hugging_face.endpoint
    if source.s3 is not None and source.s3.endpoint is not None:
        yield "spec.source.s3.endpoint", source.s3.endpoint
    for index, file in enumerate(source.http.files if source.http is not None else ()):
        yield f"spec.source.http.files[{index}].url", file.url
