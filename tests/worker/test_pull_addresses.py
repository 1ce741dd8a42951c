"""What a user names on the command line is a source, or one clear sentence; messages speak of options."""

import ast
import re
from pathlib import Path

import pytest

import modelsync
from modelsync.api.source.sources import RepositoryType, Source
from modelsync.cli import addresses, wording
from modelsync.cli.addresses import Options
from modelsync.errors import UsageError
from modelsync.settings import environment

HUBS = {
    "plain": ("hf://org/name", Options(), "org/name", "main", RepositoryType.MODEL),
    "without organisation": ("hf://gpt2", Options(), "gpt2", "main", RepositoryType.MODEL),
    "with revision": ("hf://org/name@v1.0", Options(), "org/name", "v1.0", RepositoryType.MODEL),
    "pull request": ("hf://org/name@refs/pr/1", Options(), "org/name", "refs/pr/1", RepositoryType.MODEL),
    "revision by option": ("hf://org/name", Options(revision="v2"), "org/name", "v2", RepositoryType.MODEL),
    "same revision twice": (
        "hf://org/name@v2",
        Options(revision="v2"),
        "org/name",
        "v2",
        RepositoryType.MODEL,
    ),
    "dataset": ("hf://datasets/org/name", Options(), "org/name", "main", RepositoryType.DATASET),
    "dataset by option": ("hf://org/name", Options(dataset=True), "org/name", "main", RepositoryType.DATASET),
    "slash at the end": ("hf://org/name/", Options(), "org/name", "main", RepositoryType.MODEL),
}


@pytest.mark.parametrize(("address", "options", "name", "revision", "kind"), HUBS.values(), ids=HUBS)
def test_a_hub_address_names_repository_and_revision(
    address: str, options: Options, name: str, revision: str, kind: RepositoryType
) -> None:
    found = addresses.source_of([address], options).hugging_face
    assert found is not None
    assert (found.repository, found.revision, found.repository_type) == (name, revision, kind)


def test_an_s3_address_names_bucket_and_prefix() -> None:
    found = addresses.source_of(
        ["s3://models/llama/7b/"], Options(endpoint="http://s3", region="eu-west-1")
    ).s3
    assert found is not None
    assert (found.bucket, found.prefix, found.endpoint, found.region) == (
        "models",
        "llama/7b/",
        "http://s3",
        "eu-west-1",
    )


def test_files_behind_urls_get_the_names_of_their_urls() -> None:
    urls = ["https://host/a/model%20one.bin?signature=x", "http://host/b.bin"]
    found = addresses.source_of(urls, Options()).http
    assert found is not None
    assert [(file.path, file.url) for file in found.files] == [
        ("model one.bin", urls[0]),
        ("b.bin", urls[1]),
    ]


def test_a_checksum_belongs_to_one_file() -> None:
    found = addresses.source_of(["https://host/a"], Options(sha256="AB" * 32)).http
    assert found is not None
    assert found.files[0].sha256 == "ab" * 32


WRONG = {
    "no scheme": (["org/name"], Options(), "expected hf://org/name"),
    "a path in a repository": (["hf://org/name/file.bin"], Options(), "--allow"),
    "no repository": (["hf://"], Options(), "not a repository"),
    "an empty revision": (["hf://org/name@"], Options(), "not a repository"),
    "two revisions": (["hf://org/name@a"], Options(revision="b"), "differ"),
    "no bucket": (["s3:///prefix"], Options(), "no bucket"),
    "two repositories": (["hf://a/b", "hf://c/d"], Options(), "one hf://"),
    "no host": (["https:///file"], Options(), "no host"),
    "a password": (["https://user:canary@host/file"], Options(), "--token-file"),
    "equal names": (["https://a/x", "https://b/x"], Options(), "different directories"),
    "a checksum for two": (["https://a/x", "https://b/y"], Options(sha256="0" * 64), "one file"),
    "too long": (["hf://" + "a" * 300], Options(), "at most 200"),
    "an unknown scheme": (["ftp://host/file"], Options(), "invalid source"),
}


@pytest.mark.parametrize(("given", "options", "says"), WRONG.values(), ids=WRONG)
def test_a_wrong_address_is_refused_with_its_fix(given: list[str], options: Options, says: str) -> None:
    with pytest.raises(UsageError, match=re.escape(says)) as caught:
        addresses.source_of(given, options)
    assert "canary" not in str(caught.value)


HUB = Options(hubs=("http://mirror.example:8080/hub/",))
PAGES = {
    "a repository": ("https://huggingface.co/org/name", Options(), "hf://org/name"),
    "with a slash and a query": (
        "https://huggingface.co/org/name/?library=x#top",
        Options(),
        "hf://org/name",
    ),
    "of an old name": ("https://huggingface.co/gpt2", Options(), "hf://gpt2"),
    "a data set": ("https://huggingface.co/datasets/org/name", Options(), "hf://datasets/org/name"),
    "a file": (
        "https://huggingface.co/org/name/blob/main/a/model.safetensors",
        Options(),
        "hf://org/name --allow a/model.safetensors",
    ),
    "a file of an old name": ("https://hf.co/gpt2/blob/main/x.json", Options(), "hf://gpt2 --allow x.json"),
    "a file of a revision": ("https://hf.co/org/name/blob/v1.0/x", Options(), "hf://org/name@v1.0 --allow x"),
    "a file of a pull request": (
        "https://hf.co/org/name/blob/refs%2Fpr%2F1/x%20y",
        Options(),
        "hf://org/name@refs/pr/1 --allow 'x y'",
    ),
    "a folder": ("https://hf.co/org/name/tree/main/onnx", Options(), "hf://org/name --allow onnx/"),
    "a branch": ("https://hf.co/org/name/tree/dev", Options(), "hf://org/name@dev"),
    "discussions": ("https://hf.co/org/name/discussions/3", Options(), "hf://org/name"),
    "a data set's file": (
        "https://hf.co/datasets/org/name/blob/main/x.parquet",
        Options(),
        "hf://datasets/org/name --allow x.parquet",
    ),
    "without a scheme": ("huggingface.co/org/name", Options(), "hf://org/name"),
    "in upper case": ("HTTPS://HuggingFace.co/org/Name", Options(), "hf://org/Name"),
    "of a mirror": ("http://mirror.example:8080/hub/org/name", HUB, "hf://org/name"),
    "a mirror's file": (
        "https://mirror.example:8080/hub/org/name/blob/main/x",
        HUB,
        "hf://org/name --allow x",
    ),
}


@pytest.mark.parametrize(("given", "options", "says"), PAGES.values(), ids=PAGES)
def test_a_page_of_a_hub_is_answered_with_the_address_of_the_model(
    given: str, options: Options, says: str
) -> None:
    with pytest.raises(UsageError) as caught:
        addresses.source_of([given], options)
    assert str(caught.value).endswith(f"use {says}")
    address, *_ = says.split(" --allow ")
    assert addresses.source_of([address], Options()).hugging_face is not None


FILES = {
    "a file": "https://huggingface.co/org/name/resolve/main/model.safetensors",
    "a file of a branch named blob": "https://huggingface.co/org/name/resolve/blob/main",
    "a small file as it is": "https://huggingface.co/org/name/raw/main/config.json",
    "a data set's file": "https://huggingface.co/datasets/org/name/resolve/main/a.parquet",
    "an answer of the API": "https://huggingface.co/api/models/org/name",
    "another server's file": "https://example.org/org/name/blob/main/model.safetensors",
    "a host that ends alike": "https://nothuggingface.co/org/name",
    "a host that begins alike": "https://huggingface.co.example/org/name",
    "a mirror, which nobody named": "https://mirror.example/org/name",
    "another path of a mirror's host": "http://mirror.example:8080/other/name",
}


@pytest.mark.parametrize("given", FILES.values(), ids=FILES)
def test_a_file_is_asked_for_as_it_is_named(given: str) -> None:
    source = addresses.source_of([given], HUB)
    assert source.http is not None
    assert source.http.files[0].url == given


def test_no_message_of_the_engine_speaks_of_fields_on_a_command_line() -> None:
    folder = Path(modelsync.__file__).parent / "worker"
    constants = [
        node.value
        for path in folder.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    fields = {name for text in constants for name in re.findall(r"spec\.[\w.\[\]]*\w", text)}
    # secretRef is named by the credentials, and those of a command line name variables.
    ours = {name for name in fields if "secretRef" not in name}
    assert len(ours) > 5
    left = {name for name in ours if "spec." in wording.for_terminal(f"Check {name}.")}
    assert left == set()


def test_the_environment_names_endpoint_token_and_keys() -> None:
    found = environment.pull_environment(
        {
            "HF_ENDPOINT": "https://mirror",
            "HF_TOKEN": "canary",
            "AWS_ENDPOINT_URL": "https://s3",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_ACCESS_KEY_ID": "id",
            "AWS_SECRET_ACCESS_KEY": "canary",
            "AWS_SESSION_TOKEN": "",
        }
    )
    assert (found.hub_endpoint, found.s3_endpoint, found.region) == (
        "https://mirror",
        "https://s3",
        "eu-west-1",
    )
    assert set(found.s3_keys) == {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    assert "canary" not in repr(found)


def test_a_source_without_any_address_is_impossible() -> None:
    with pytest.raises(UsageError):
        addresses.source_of([""], Options())
    assert isinstance(addresses.source_of(["hf://a/b"], Options()), Source)
