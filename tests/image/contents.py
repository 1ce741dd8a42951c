"""What is in the image as it is loaded into clusters: its configuration and all files of its layers."""

import functools
import gzip
import io
import json
import tarfile
from dataclasses import dataclass
from typing import Any

from dev import image

SBOM = "opt/modelsync/sbom.cdx.json"
PROGRAMS = {
    "usr/bin/python3.13",
    "opt/modelsync/bin/modelsync",
    "opt/modelsync/bin/kubectl-modelsync",
}
"""All that can be run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An OCI image."""

    config: dict[str, Any]
    files: dict[str, tarfile.TarInfo]
    """By path, without a leading slash."""
    sbom: dict[str, Any]

    @property
    def programs(self) -> set[str]:
        """Files that may be executed and are no libraries."""
        return {
            path
            for path, file in self.files.items()
            if file.isfile() and file.mode & 0o111 and ".so" not in path.rsplit("/", 1)[-1]
        }

    @property
    def privileged(self) -> list[str]:
        """Files that run as another user, devices, and what everybody may write."""
        return [
            path
            for path, file in self.files.items()
            if (file.mode & 0o6000 or file.isdev() or (file.mode & 0o002 and not file.issym()))
            and path.rstrip("/") != "tmp"
        ]


@functools.cache
def built() -> Image:
    """The image of operator and worker; built if its inputs changed."""
    with tarfile.open(image.build()) as archive:

        def blob(digest: str) -> bytes:
            file = archive.extractfile("blobs/" + digest.replace(":", "/"))
            assert file is not None
            return file.read()

        index = archive.extractfile("index.json")
        assert index is not None
        manifest = json.loads(blob(json.load(index)["manifests"][0]["digest"]))
        config = json.loads(blob(manifest["config"]["digest"]))
        files: dict[str, tarfile.TarInfo] = {}
        bill = b"{}"
        for layer in manifest["layers"]:
            with tarfile.open(fileobj=io.BytesIO(gzip.decompress(blob(layer["digest"])))) as packed:
                for each in packed.getmembers():
                    files[each.name.removeprefix("./")] = each
                    if each.name.removeprefix("./") == SBOM and (file := packed.extractfile(each)):
                        bill = file.read()
    return Image(config=config, files=files, sbom=json.loads(bill))
