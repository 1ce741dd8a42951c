"""A real Prometheus (Debian's), run beside the tests and asked over its HTTP API."""

import contextlib
import json
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: modelsync
    honor_labels: true
    static_configs: [{{targets: ["{target}"]}}]
"""


@dataclass(frozen=True)
class Prometheus:
    """A running Prometheus that scrapes one target each second."""

    url: str

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The instant vector of an expression; raises on a bad expression."""
        words = urllib.parse.urlencode({"query": expression})
        with urllib.request.urlopen(f"{self.url}/api/v1/query?{words}", timeout=10) as answer:
            data = json.load(answer)
        assert data["status"] == "success", data
        result = data["data"]["result"]
        return result if isinstance(result, list) else [result]


@contextlib.contextmanager
def scraping(target: str) -> Iterator[Prometheus]:
    """Start Prometheus on a free loopback port, scraping `host:port`."""
    program = shutil.which("prometheus")
    assert program, "install Debian's prometheus package (dev/setup.sh does)"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "prometheus.yml")
        config.write_text(_CONFIG.format(target=target))
        process = subprocess.Popen(
            [program, f"--config.file={config}", f"--storage.tsdb.path={folder}/data",
             f"--web.listen-address={address}", "--log.level=error"],
        )  # fmt: skip
        try:
            found = Prometheus(f"http://{address}")
            _ready(found, process)
            yield found
        finally:
            process.terminate()
            process.wait(20)


def _ready(prometheus: Prometheus, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert process.poll() is None, "Prometheus ended"
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{prometheus.url}/-/ready", timeout=1):
            return
        time.sleep(0.1)
    raise AssertionError("Prometheus did not become ready")
