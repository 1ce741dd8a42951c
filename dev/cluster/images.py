"""Two tiny images for a machine without a registry: the pause container and a shell.

An image archive is a tar of a few JSON files and a layer, which is less to write than to borrow:
no build tool, and no image store to clean up. Both images hold the machine's busybox with the
libraries it needs (`wget -T` crashes in Debian 12's; leave the timeout out). The pause container
only has to sleep while it holds a pod's namespaces.
"""

import hashlib
import io
import json
import pathlib
import subprocess
import tarfile

PAUSE = "localhost/pause:dev"
SHELL = "localhost/busybox:dev"
_BUSYBOX = pathlib.Path("/bin/busybox")
_FOLDERS = {"bin": 0o755, "etc": 0o755, "tmp": 0o1777, "var": 0o755}
_FILES = {
    "etc/passwd": b"root:x:0:0:root:/:/bin/sh\nnonroot:x:65532:65532:nonroot:/tmp:/bin/sh\n",
    "etc/nsswitch.conf": b"hosts: files dns\n",
}


def write(folder: pathlib.Path) -> list[pathlib.Path]:
    """Write the archives of both images into the folder, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    layer = _layer()
    found = []
    for reference, command in ((PAUSE, ["sleep", "infinity"]), (SHELL, ["sh"])):
        path = folder / f"{reference.partition('/')[2].partition(':')[0]}.tar"
        with tarfile.open(path, "w") as archive:
            for member, data in _image_files(reference, command, layer).items():
                _add_file(archive, member, data)
        found.append(path)
    return found


def _image_files(reference: str, command: list[str], layer: bytes) -> dict[str, bytes]:
    # The OCI image layout: blobs by digest, and an index that names the one manifest.
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
        "layers": [_descriptor(f"{media}.layer.v1.tar", layer)],
    }
    manifest_blob = json.dumps(manifest).encode()
    entry = _descriptor(f"{media}.manifest.v1+json", manifest_blob)
    entry["annotations"] = {"io.containerd.image.name": reference}
    index = {"schemaVersion": 2, "manifests": [entry]}
    blobs = {_blob_path(blob): blob for blob in (layer, config_blob, manifest_blob)}
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
        for name, data in _FILES.items():
            _add_file(layer, name, data)
        for program in (_BUSYBOX, *_libraries()):
            _add_file(layer, str(program).lstrip("/"), program.read_bytes(), mode=0o755)
        for applet in _applets():
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            layer.addfile(link)
    return buffer.getvalue()


def _libraries() -> list[pathlib.Path]:
    """Return the shared libraries of busybox, its loader included; a static one has none."""
    listed = subprocess.run(["ldd", _BUSYBOX], capture_output=True, text=True, check=False)
    return [pathlib.Path(word) for word in listed.stdout.split() if word.startswith("/")]


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
