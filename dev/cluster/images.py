"""Two tiny images for a machine without a registry: the pause container and a shell.

An image archive is a tar of a few JSON files and a layer, which is less to write than to borrow:
no build tool, no image store to clean up, the same bytes each time. Both images hold Debian's
static busybox. The pause container only has to sleep while it holds a pod's namespaces.
"""

import gzip
import hashlib
import io
import json
import pathlib
import subprocess
import tarfile

from dev.cluster import layout

PAUSE = "localhost/pause:dev"
SHELL = "localhost/busybox:dev"
_BUSYBOX = pathlib.Path("/bin/busybox")
_FOLDERS = {"bin": 0o755, "etc": 0o755, "tmp": 0o1777, "var": 0o755}
_PASSWD = b"root:x:0:0:root:/:/bin/sh\nnonroot:x:65532:65532:nonroot:/tmp:/bin/sh\n"


def archives() -> list[pathlib.Path]:
    """Write the archives of both images if they are missing, and return their paths."""
    return [_archive("pause", PAUSE, ["sleep", "infinity"]), _archive("busybox", SHELL, ["sh"])]


def _archive(name: str, reference: str, command: list[str]) -> pathlib.Path:
    path = layout.cache_folder() / "images" / f"{name}.tar"
    if path.exists() and path.stat().st_mtime > _BUSYBOX.stat().st_mtime:
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with tarfile.open(partial, "w") as archive:
        for member, data in _image_files(reference, command).items():
            _add_file(archive, member, data)
    partial.replace(path)
    return path


def _image_files(reference: str, command: list[str]) -> dict[str, bytes]:
    # The OCI image layout: blobs by digest, and an index that names the one manifest.
    layer = _layer()
    packed = gzip.compress(layer, mtime=0)
    config = {
        "architecture": _architecture(),
        "os": "linux",
        "config": {"Cmd": command, "Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
    }
    config_blob = json.dumps(config).encode()
    media = "application/vnd.oci.image"
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{media}.manifest.v1+json",
        "config": _descriptor(f"{media}.config.v1+json", config_blob),
        "layers": [_descriptor(f"{media}.layer.v1.tar+gzip", packed)],
    }
    manifest_blob = json.dumps(manifest).encode()
    entry = _descriptor(f"{media}.manifest.v1+json", manifest_blob)
    entry["annotations"] = {"io.containerd.image.name": reference}
    index = {"schemaVersion": 2, "manifests": [entry]}
    blobs = {_blob_path(blob): blob for blob in (packed, config_blob, manifest_blob)}
    return blobs | {
        "oci-layout": b'{"imageLayoutVersion": "1.0.0"}',
        "index.json": json.dumps(index).encode(),
    }


def _architecture() -> str:
    debian = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True)
    return debian.stdout.strip()


def _layer() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as layer:
        for name, mode in _FOLDERS.items():
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, mode
            layer.addfile(folder)
        _add_file(layer, "etc/passwd", _PASSWD)
        _add_file(layer, "bin/busybox", _BUSYBOX.read_bytes(), mode=0o755)
        for applet in _applets():
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            layer.addfile(link)
    return buffer.getvalue()


def _applets() -> list[str]:
    listed = subprocess.run([_BUSYBOX, "--list"], capture_output=True, text=True, check=True)
    return [name for name in listed.stdout.split() if name != "busybox"]


def _add_file(archive: tarfile.TarFile, name: str, data: bytes, mode: int = 0o644) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(data), mode
    archive.addfile(member, io.BytesIO(data))


def _digest(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"


def _blob_path(blob: bytes) -> str:
    return "blobs/" + _digest(blob).replace(":", "/")


def _descriptor(media_type: str, blob: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": _digest(blob), "size": len(blob)}
