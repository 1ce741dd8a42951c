"""A real web server over a temporary folder: nginx with ranges, ETags, a rate, TLS and a password."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dev.origins import certificates, processes

USER, PASSWORD = "reader", "not-a-secret-in-tests"

CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log warn;
events {{}}
http {{
  log_format json escape=json
    '{{"path":"$uri","status":$status,"sent":$body_bytes_sent,"authorization":"$remote_user"}}';
  access_log {folder}/access.log json;
  client_body_temp_path {folder}/temporary/body;
  proxy_temp_path {folder}/temporary/proxy;
  fastcgi_temp_path {folder}/temporary/fastcgi;
  uwsgi_temp_path {folder}/temporary/uwsgi;
  scgi_temp_path {folder}/temporary/scgi;
  server {{
    listen {host}:{port}{ssl};
    {certificate}
    root {folder}/files;
    limit_rate {rate};
    location /private/ {{
      auth_basic "private";
      auth_basic_user_file {folder}/passwords;
    }}
    location /moved/ {{
      rewrite ^/moved/(.*)$ /$1 redirect;
    }}
  }}
}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nginx:
    """A running server: files below `private/` ask for `user` and `password`, `moved/X` leads to `X`."""

    url: str
    folder: Path
    authority: Path | None
    """PEM file of the authority to trust, with TLS."""
    user: str = USER
    password: str = PASSWORD

    def put(self, files: Mapping[str, bytes]) -> None:
        """Write files by path."""
        for path, body in files.items():
            target = self.folder / "files" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(body)

    def bytes_sent(self, path: str | None = None) -> int:
        """Bytes of all successful answers' bodies, of one path or of all; counted when an answer ends."""
        log = self.folder / "access.log"
        entries = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        return sum(
            entry["sent"]
            for entry in entries
            if entry["status"] in (200, 206) and path in (None, entry["path"].lstrip("/"))
        )


@contextlib.contextmanager
def running(
    folder: Path, host: str = "127.0.0.1", *, tls: bool = False, rate: int | None = None
) -> Iterator[Nginx]:
    """Run a server whose files are below a folder; `rate` is in bytes per second and connection."""
    program = processes.binary("nginx")
    for name in ("files", "temporary"):
        (folder / name).mkdir()
    (folder / "passwords").write_text(f"{USER}:{{PLAIN}}{PASSWORD}\n")
    made = certificates.make(folder, host) if tls else None

    def command(port: int) -> list[str]:
        certificate = f"ssl_certificate {made.certificate}; ssl_certificate_key {made.key};" if made else ""
        configuration = CONFIGURATION.format(
            folder=folder,
            host=host,
            port=port,
            rate=rate or 0,
            ssl=" ssl" if tls else "",
            certificate=certificate,
        )
        (folder / "nginx.conf").write_text(configuration)
        return [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "nginx.log")]

    with processes.running(command, host, folder / "nginx.log") as port:
        url = f"{'https' if tls else 'http'}://{host}:{port}"
        yield Nginx(url=url, folder=folder, authority=made.authority if made else None)
