"""The origin: nginx alone, as a Hub and its CDN at once.

A server in Python would take the CPU time that the engines are to show, and its answers would differ from run
to run. All that a Hub answers about a set of files is known beforehand, so it is written down: documents as
files, the redirects of `resolve` as configuration. The CDN has an address of its own, as clients treat a
redirect to another origin differently. Two workers, because one cannot encrypt for two cores.
"""

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dev.bench.data import FileSet
from dev.bench.measure import BenchError
from dev.origins import certificates, processes

REPOSITORY = "bench/model"
COMMIT = hashlib.sha1(b"bench", usedforsecurity=False).hexdigest()
LOOPBACK = ("127.0.0.1", "127.0.0.2")
READY_SECONDS = 20.0
PAGE = 1000
"""Files in a page of a repository's tree, as the Hub has it."""
MOST_MAPPED = 20_000
"""Files whose digest and size `resolve` returns as headers, which huggingface_hub wants and we do not."""

_CONFIGURATION = """
daemon off;
{user}
worker_processes 2;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log warn;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  default_type application/octet-stream;
  sendfile on;
  tcp_nopush on;
  output_buffers 2 256k;
  keepalive_requests 1000000;
  ssl_session_cache shared:tls:1m;
  client_body_temp_path {folder}/temporary;
  proxy_temp_path {folder}/temporary;
  fastcgi_temp_path {folder}/temporary;
  uwsgi_temp_path {folder}/temporary;
  scgi_temp_path {folder}/temporary;
  map_hash_max_size 131072;
  map_hash_bucket_size 256;
  map $http_host $cdn_port {{ default {port}; "~:(?<given>[0-9]+)$" $given; }}
  map $arg_cursor $next {{ default ""; include {folder}/pages; }}
  map $next $link {{ "" ""; default '<$scheme://$http_host{tree}?recursive=true&cursor=$next>; rel="next"'; }}
  map $uri $linked_etag {{ default ""; include {folder}/etags; }}
  map $uri $linked_size {{ default ""; include {folder}/sizes; }}
  server {{
    listen {host}:{port}{ssl} backlog=512;
    listen {cdn}:{port}{ssl} backlog=512;
    {certificate}
    root {documents};
    location = /api/models/{repository} {{ default_type application/json; try_files /information.json =404; }}
    location /api/models/{repository}/revision/ {{
      default_type application/json; try_files /information.json =404;
    }}
    location /api/models/{repository}/tree/ {{
      default_type application/json; add_header Link $link; try_files /tree$arg_cursor.json =404;
    }}
    location ~ ^/{repository}/resolve/[^/]+/(?<file>.+)$ {{
      add_header X-Repo-Commit {commit} always;
      add_header X-Linked-Etag '"$linked_etag"' always;
      add_header X-Linked-Size $linked_size always;
      return 302 $scheme://{cdn}:$cdn_port/cdn/$file;
    }}
    location /cdn/ {{ alias {files}/; }}
  }}
}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A running origin."""

    host: str
    cdn: str
    """The CDN's address; it listens at the same port."""
    port: int
    authority: Path | None
    """The authority to trust; None without TLS."""

    def url(self, port: int | None = None) -> str:
        """The Hub's endpoint, by way of another port where a relay listens."""
        return f"{'https' if self.authority else 'http'}://{self.host}:{port or self.port}"

    def cdn_url(self, port: int | None = None) -> str:
        """What the CDN's URLs begin with."""
        return f"{'https' if self.authority else 'http'}://{self.cdn}:{port or self.port}/cdn/"


@contextlib.contextmanager
def serving(
    files: FileSet,
    folder: Path,
    *,
    tls: bool = False,
    addresses: tuple[str, str] = LOOPBACK,
    port: int | None = None,
    prefix: Sequence[str] = (),
) -> Iterator[Origin]:
    """Serve a set at the addresses of the Hub and of the CDN.

    `prefix` runs the server elsewhere, such as in a network namespace; name a port then.
    """
    host, cdn = addresses
    folder.mkdir()
    (folder / "temporary").mkdir()
    _write_documents(files, folder)
    made = certificates.make(folder, host, cdn) if tls else None
    port = port or processes.free_port(host)
    certificate = f"ssl_certificate {made.certificate}; ssl_certificate_key {made.key};" if made else ""
    (folder / "nginx.conf").write_text(
        _CONFIGURATION.format(
            user="user root;" if os.geteuid() == 0 else "",
            folder=folder,
            documents=folder / "documents",
            files=files.folder,
            host=host,
            cdn=cdn,
            port=port,
            ssl=" ssl" if tls else "",
            certificate=certificate,
            repository=REPOSITORY,
            commit=COMMIT,
            tree=f"/api/models/{REPOSITORY}/tree/{COMMIT}",
        )
    )
    with _running(
        [*prefix, processes.binary("nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf")], folder
    ):
        yield Origin(host=host, cdn=cdn, port=port, authority=made.authority if made else None)


def _write_documents(files: FileSet, folder: Path) -> None:
    documents = folder / "documents"
    documents.mkdir()
    siblings = [{"rfilename": file.path} for file in files.files]
    information = {
        "_id": "0" * 24, "id": REPOSITORY, "modelId": REPOSITORY, "author": "bench", "sha": COMMIT,
        "lastModified": "2026-01-01T00:00:00.000Z", "createdAt": "2026-01-01T00:00:00.000Z", "private": False,
        "gated": False, "disabled": False, "downloads": 0, "likes": 0, "tags": [], "siblings": siblings,
    }  # fmt: skip
    (documents / "information.json").write_text(json.dumps(information))
    tree = [
        {
            "type": "file", "path": file.path, "size": file.size, "oid": file.sha256[:40],
            "lfs": {"oid": file.sha256, "size": file.size, "pointerSize": 134},
        }
        for file in files.files
    ]  # fmt: skip
    pages = range(0, max(1, len(tree)), PAGE)
    for start in pages:
        page = documents / f"tree{start or ''}.json"
        page.write_text(json.dumps(tree[start : start + PAGE]))
    (folder / "pages").write_text("".join(f"'{start or ''}' '{start + PAGE}';\n" for start in pages[:-1]))
    mapped = files.files if len(files.files) <= MOST_MAPPED else ()
    base = f"/{REPOSITORY}/resolve/{COMMIT}"
    (folder / "etags").write_text("".join(f'"{base}/{file.path}" "{file.sha256}";\n' for file in mapped))
    (folder / "sizes").write_text("".join(f'"{base}/{file.path}" "{file.size}";\n' for file in mapped))


@contextlib.contextmanager
def _running(command: Sequence[str], folder: Path) -> Iterator[None]:
    """Run nginx; its pid file is there once it listens."""
    log = folder / "nginx.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", *command, "-e", str(log)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        end = time.monotonic() + READY_SECONDS
        while not (folder / "nginx.pid").exists():
            if process.poll() is not None or time.monotonic() > end:
                raise BenchError(f"nginx did not start: {log.read_text(errors='replace')[-1000:]}")
            time.sleep(0.02)  # a pid file is no event that could be awaited
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
