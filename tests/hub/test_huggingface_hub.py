"""The real client library reads our server as it reads the Hub."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dev.origins.hub import HubServer, Repository
from tests.hub.conftest import GOOD, MODEL_SIZE, OUTSIDER, SMALL_FILES

os.environ.setdefault("HF_HUB_DISABLE_XET", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
from huggingface_hub import HfApi, errors, get_hf_file_metadata, hf_hub_url

ApiMaker = Callable[[str | bool], HfApi]


@pytest.fixture
def api(hub: HubServer) -> ApiMaker:
    return lambda token: HfApi(endpoint=hub.url, token=token)


def test_a_models_information_names_commit_and_files(hub: HubServer, api: ApiMaker) -> None:
    found = api(False).model_info("org/model", files_metadata=True)
    assert found.sha == hub.state.repositories["model", "org/model"].sha
    assert found.siblings is not None
    assert len(found.siblings) == SMALL_FILES + 2
    weights = next(file for file in found.siblings if file.rfilename == "model.bin")
    assert weights.size == MODEL_SIZE
    assert weights.lfs is not None


@pytest.mark.parametrize(("recursive", "count"), [(True, SMALL_FILES + 2 + 3), (False, 2 + 3)])
def test_a_tree_of_several_pages_is_complete(
    hub: HubServer, api: ApiMaker, recursive: bool, count: int
) -> None:
    entries = list(api(False).list_repo_tree("org/model", recursive=recursive, expand=True))
    assert len({entry.path for entry in entries}) == len(entries) == count
    pages = [entry for entry in hub.log.entries() if "/tree/" in entry.request.path]
    assert len(pages) == (3 if recursive else 1)


def test_a_folder_of_a_tree_can_be_listed(api: ApiMaker) -> None:
    entries = list(api(False).list_repo_tree("org/model", "folder-1"))
    assert [entry.path for entry in entries][:2] == ["folder-1/001.json", "folder-1/004.json"]


def test_paths_info_lists_files_and_folders_and_leaves_out_the_unknown(api: ApiMaker) -> None:
    found = api(False).get_paths_info("org/model", ["config.json", "folder-2", "absent"])
    assert [entry.path for entry in found] == ["config.json", "folder-2"]


def test_a_snapshot_has_every_byte(hub: HubServer, api: ApiMaker, tmp_path: Path) -> None:
    folder = Path(api(False).snapshot_download("org/model", cache_dir=tmp_path))
    files = hub.state.repositories["model", "org/model"].find("main")
    assert files is not None
    for path, file in files.files.items():
        assert hashlib.sha256((folder / path).read_bytes()).hexdigest() == file.sha256, path
    assert hub.bytes_sent("model.bin") == MODEL_SIZE


def test_a_token_never_reaches_the_cdn_but_opens_small_files(
    hub: HubServer, api: ApiMaker, tmp_path: Path
) -> None:
    for path in ("model.bin", "README.md"):
        api(GOOD).hf_hub_download("org/gated", path, cache_dir=tmp_path)
    assert all(not entry.authorization for entry in hub.log.entries(listener="cdn"))
    assert all(entry.authorization for entry in hub.log.entries(listener="hub"))
    assert len(hub.log.entries(listener="cdn")) == 1


def test_datasets_are_apart_from_models(api: ApiMaker, tmp_path: Path) -> None:
    file = api(False).hf_hub_download("org/model", "table.csv", repo_type="dataset", cache_dir=tmp_path)
    assert Path(file).read_bytes() == b"1,2\n"


def test_branches_tags_and_commits_are_revisions(hub: HubServer, api: ApiMaker) -> None:
    repository = hub.add(Repository("org/moving", {"a": b"1"}))
    first = repository.sha
    repository.tag("v1")
    second = repository.commit({"a": b"2"})
    repository.move("refs/pr/1", first)
    expected = {"main": second, "v1": first, first: first, second: second, "refs/pr/1": first}
    for revision, sha in expected.items():
        assert api(False).model_info("org/moving", revision=revision).sha == sha
    references = api(False).list_repo_refs("org/moving")
    assert [(tag.name, tag.target_commit) for tag in references.tags] == [("v1", first)]
    assert first != second


DENIED = {
    "unknown repository, anonymous": ("org/none", "a", False, None, errors.RepositoryNotFoundError, 401),
    "unknown repository, signed in": ("org/none", "a", GOOD, None, errors.RepositoryNotFoundError, 404),
    "unknown revision": ("org/model", "config.json", False, "v9", errors.RevisionNotFoundError, 404),
    "unknown file": ("org/model", "none.json", False, None, errors.EntryNotFoundError, 404),
    "gated, anonymous": ("org/gated", "model.bin", False, None, errors.GatedRepoError, 401),
    "gated, not granted": ("org/gated", "model.bin", OUTSIDER, None, errors.GatedRepoError, 403),
    "private, anonymous": ("org/private", "model.bin", False, None, errors.RepositoryNotFoundError, 401),
    "private, not granted": ("org/private", "model.bin", OUTSIDER, None, errors.RepositoryNotFoundError, 404),
    "wrong token": ("org/model", "config.json", "hf_wrong", None, errors.HfHubHTTPError, 401),
}


@pytest.mark.parametrize(
    ("repository", "path", "token", "revision", "kind", "status"), DENIED.values(), ids=DENIED
)
def test_a_denied_file_is_the_clients_own_exception(
    api: ApiMaker,
    repository: str,
    path: str,
    token: str | bool,
    revision: str | None,
    kind: type[errors.HfHubHTTPError],
    status: int,
) -> None:
    with pytest.raises(kind) as caught:
        get_metadata(api(token), repository, path, revision)
    assert type(caught.value) in (kind, errors.RemoteEntryNotFoundError)
    assert caught.value.response.status_code == status


def get_metadata(api: HfApi, repository: str, path: str, revision: str | None) -> None:
    url = hf_hub_url(repository, path, revision=revision, endpoint=api.endpoint)
    get_hf_file_metadata(url, token=api.token)


@pytest.mark.parametrize("token", [GOOD, OUTSIDER, False], ids=["granted", "outsider", "anonymous"])
def test_a_gated_repository_is_described_to_everyone(api: ApiMaker, token: str | bool) -> None:
    assert api(token).model_info("org/gated").gated == "manual"
    assert len(list(api(token).list_repo_tree("org/gated"))) == 2
