"""Where the cache of Hugging Face's libraries keeps a repository, below a directory used as HF_HOME.

The operator needs the names to know who writes where, the worker to write there; they are huggingface_hub's
own (`file_download.repo_folder_name`, `constants.HF_HUB_CACHE`), which has kept them since version 0.14.
"""

from modelsync.api.source.sources import HuggingFaceSource, RepositoryType

CACHE_DIR = "hub"
"""HF_HUB_CACHE, relative to HF_HOME."""
BLOBS, REFS, SNAPSHOTS = "blobs", "refs", "snapshots"
_PREFIXES = {RepositoryType.MODEL: "models", RepositoryType.DATASET: "datasets"}


def repository_directory(home: str, source: HuggingFaceSource) -> str:
    """A repository's directory, relative to the volume, when `home` on it is used as HF_HOME."""
    folder = "--".join((_PREFIXES[source.repository_type], *source.repository.split("/")))
    return "/".join(part for part in (home, CACHE_DIR, folder) if part)


def snapshot_directory(repository: str, revision: str) -> str:
    """The directory in which a commit's files have their own names."""
    return f"{repository}/{SNAPSHOTS}/{revision}"
