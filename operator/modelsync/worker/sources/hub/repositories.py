"""A repository of the Hugging Face Hub: huggingface_hub lists it, our engine fetches it.

The library knows the Hub's API, its pages and its errors; its transfer part is not used, because it can
neither resume in a later process nor notice damaged bytes. A branch is turned into a commit once, and every
URL names that commit: a branch that moves in between changes nothing. The library's log is cut to errors, as
it writes full URLs.
"""

import contextlib
import dataclasses
import logging
import re
import threading
import urllib.parse
from collections.abc import Iterator
from typing import TYPE_CHECKING

import modelsync
from modelsync.api.reasons import Reason
from modelsync.api.source.sources import HuggingFaceSource, RepositoryType
from modelsync.api.source.transfer import Resolved
from modelsync.startup import loading
from modelsync.worker.common import names
from modelsync.worker.common.failures import Failure
from modelsync.worker.common.model import Digest, Listing, RemoteFile, Request
from modelsync.worker.http.client import Transport
from modelsync.worker.http.connector import Network
from modelsync.worker.progress.stages import Stages
from modelsync.worker.progress.waiting import Patience
from modelsync.worker.sources import credentials as creds
from modelsync.worker.sources import library_http, pinning
from modelsync.worker.sources.hub import errors

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_log = logging.getLogger(__name__)

DEFAULT_ENDPOINT = "https://huggingface.co"
_COMMIT = re.compile(r"[0-9a-f]{40,64}")
_SHA1, _SHA256 = re.compile(r"[0-9a-f]{40}"), re.compile(r"[0-9a-f]{64}")


class HubSource:
    """A model or dataset at one commit."""

    def __init__(
        self,
        spec: HuggingFaceSource,
        credentials: creds.Credentials,
        network: Network,
        stop: threading.Event | None = None,
        stages: Stages | None = None,
    ) -> None:
        self._stages = stages or Stages()
        self._patience = Patience(stop or threading.Event(), self._stages)
        self._spec = spec
        self._credentials = credentials
        self._network = network
        self._endpoint = (spec.endpoint or DEFAULT_ENDPOINT).rstrip("/")
        self._key = spec.secret_ref.key if spec.secret_ref else creds.TOKEN
        self._kind = "dataset" if spec.repository_type is RepositoryType.DATASET else "model"
        self._commit: str | None = None
        self._asked: errors.HubRequests | None = None

    def resolve(self, pinned: Resolved | None) -> Listing:
        """List the repository at the pinned commit, or at what the revision names now."""
        wanted = pinned.revision if pinned and pinned.revision else self._spec.revision
        token = self._token()
        if token and self._endpoint.lower().startswith("http:"):
            _log.warning(
                "the token is sent without encryption, since spec.source.huggingFace.endpoint is http://"
            )
        with _client(self._endpoint, token, self._network, self._patience) as api:
            return self._listed(api, wanted)

    def _listed(self, api: "HfApi", wanted: str) -> Listing:
        self._asked = asked = errors.HubRequests(
            endpoint=self._endpoint,
            repository=self._spec.repository,
            kind=self._kind,
            revision=wanted,
            page=self.page,
            credentials=self._credentials,
            patience=self._patience,
        )
        commit, gated = asked(lambda: self._information(api, wanted))
        self._commit = commit
        of_commit = dataclasses.replace(asked, commit=commit)
        files = of_commit(lambda: pinning.gathered(self._tree(api, commit), self._stages))
        if gated and files:
            asked(lambda: self._check_access(api, files[0]))
        return Listing(revision=commit, files=files)

    def request(self, file: RemoteFile) -> Request:
        """The file's address at the resolved commit, with the token for the endpoint's own origin."""
        token = self._token()
        headers = {"Authorization": f"Bearer {token.reveal()}"} if token else {}
        explain = self._asked.explain if self._asked else None
        return Request(url=self._url(file.locator), headers=headers, explain=explain)

    @property
    def page(self) -> str:
        """The repository's page, where a person accepts its terms."""
        folder = "datasets/" if self._kind == "dataset" else ""
        return f"{self._endpoint}/{folder}{self._spec.repository}"

    def _url(self, path: str) -> str:
        if self._commit is None:
            raise RuntimeError("the source is not resolved yet")
        return (
            f"{self.page}/resolve/{self._commit}/{urllib.parse.quote(path, safe='/', errors='surrogatepass')}"
        )

    def _token(self) -> creds.Hidden | None:
        return creds.bearer(self._credentials, self._key)

    def _information(self, api: "HfApi", revision: str) -> tuple[str, bool]:
        """The commit of a revision, and whether the repository asks its readers to accept terms."""
        ask = api.dataset_info if self._kind == "dataset" else api.model_info
        found = ask(self._spec.repository, revision=revision, timeout=self._network.timeout_seconds)
        if not _COMMIT.fullmatch(found.sha or ""):
            raise Failure(
                Reason.ORIGIN_ERROR, f"{self._endpoint} names no commit for the revision {revision}."
            )
        self._check_name(found.id)
        return str(found.sha), bool(found.gated)

    def _check_name(self, renamed: str | None) -> None:
        """Refuse a repository that has another name now: the Hub leads on from the old one, which somebody
        else may take at any time."""
        if renamed and renamed.casefold() != self._spec.repository.casefold():
            text = f"The repository {self._spec.repository} is {names.printable(renamed)} now."
            fix = "Name that in spec.source.huggingFace.repository, if it is who you trust."
            raise Failure(Reason.NOT_FOUND, f"{text} {fix}")

    def _tree(self, api: "HfApi", commit: str) -> Iterator[RemoteFile]:
        from huggingface_hub.hf_api import RepoFile

        self._stages.restart_count()
        entries = api.list_repo_tree(
            self._spec.repository, recursive=True, revision=commit, repo_type=self._kind
        )
        for entry in entries:
            if isinstance(entry, RepoFile):
                lfs = entry.lfs
                size, digests = (lfs.size, _sha256(lfs.sha256)) if lfs else (entry.size, _git(entry.blob_id))
                if not isinstance(entry.path, str) or not isinstance(size, int) or size < 0:
                    raise TypeError("a file without a path or a size")
                yield RemoteFile(path=entry.path, size=size, digests=digests, locator=entry.path)

    def _check_access(self, api: "HfApi", file: RemoteFile) -> None:
        """Ask for a file of a gated repository, whose list is open to all but whose files are not."""
        from huggingface_hub.errors import FileMetadataError

        with contextlib.suppress(FileMetadataError):
            api.get_hf_file_metadata(url=self._url(file.locator), timeout=self._network.timeout_seconds)


@contextlib.contextmanager
def _client(
    endpoint: str, token: creds.Hidden | None, network: Network, patience: Patience
) -> Iterator["HfApi"]:
    """The library's client, configured to keep to itself: no saved token, no telemetry, no log of URLs."""
    with loading():
        from huggingface_hub import HfApi, constants, set_client_factory
        from huggingface_hub.utils import _http as library

    for name in ("huggingface_hub", "httpx", "httpx2", "httpcore"):
        logging.getLogger(name).setLevel(logging.ERROR)
    constants.HF_HUB_DISABLE_TELEMETRY = True  # else it first asks huggingface.co which agents it knows
    with contextlib.closing(Transport(network)) as transport:
        set_client_factory(lambda: library_http.hub_client(transport, endpoint, patience))
        try:
            secret = token.reveal() if token else False
            yield HfApi(
                endpoint=endpoint,
                token=secret,
                library_name="modelsync",
                library_version=modelsync.__version__,
            )
        finally:  # the library's client is the whole process's
            set_client_factory(library.default_client_factory)


def _sha256(value: str) -> tuple[Digest, ...]:
    return (Digest(algorithm="sha256", value=value),) if _SHA256.fullmatch(value) else ()


def _git(value: str) -> tuple[Digest, ...]:
    """A small file's id in git, which is a SHA-1 over its size and bytes."""
    return (Digest(algorithm="git-sha1", value=value),) if _SHA1.fullmatch(value) else ()
