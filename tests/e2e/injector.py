"""A mutating webhook as a service mesh has it: it puts a container of its own before the worker."""

import base64
import contextlib
import http.server
import json
import ssl
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dev import kube
from dev.origins import certificates
from tests.e2e import release

LABEL = "sidecar.mesh.example/inject"
CONTAINER = "mesh"
_SLEEPS = "import time; time.sleep(10**6)"
"""Without a handler the first process of a container ignores SIGTERM: only SIGKILL ends it."""


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        pod = kube.pod_on_claim(CONTAINER, "", "models", release.IMAGE, _SLEEPS)
        container = {**pod["spec"]["containers"][0], "name": CONTAINER}
        del container["volumeMounts"]
        patch = [{"op": "add", "path": "/spec/containers/0", "value": container}]
        response: dict[str, Any] = {"uid": review["request"]["uid"], "allowed": True}
        response |= {
            "patchType": "JSONPatch",
            "patch": base64.b64encode(json.dumps(patch).encode()).decode(),
        }
        body = json.dumps(
            {"apiVersion": review["apiVersion"], "kind": review["kind"], "response": response}
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@contextlib.contextmanager
def injecting(namespace: str, host: str) -> Iterator[None]:
    """A webhook on this machine that the API server asks about the Pods of a namespace."""
    with tempfile.TemporaryDirectory() as folder:
        tls = certificates.make(Path(folder), host)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls.certificate, tls.key)
        with http.server.ThreadingHTTPServer((host, 0), _Handler) as server:
            server.socket = context.wrap_socket(server.socket, server_side=True)
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            url = f"https://{host}:{server.server_address[1]}/"
            authority = base64.b64encode(tls.authority.read_bytes()).decode()
            try:
                with _configured(namespace, url, authority):
                    yield
            finally:
                server.shutdown()
                thread.join(10)


@contextlib.contextmanager
def _configured(namespace: str, url: str, authority: str) -> Iterator[None]:
    name = f"mesh.{namespace}.modelsync.test"
    hook = {
        "name": name,
        "clientConfig": {"url": url, "caBundle": authority},
        "rules": [
            {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
        ],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "objectSelector": {
            "matchExpressions": [
                {"key": LABEL, "operator": "NotIn", "values": ["false"]},
                {"key": "modelsync.dev/uid", "operator": "Exists"},
            ]
        },
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "timeoutSeconds": 10,
    }
    kind = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration"}
    kube.apply({**kind, "metadata": {"name": name, "labels": kube.OWN}, "webhooks": [hook]})
    try:
        yield
    finally:
        kube.kubectl("delete", "mutatingwebhookconfiguration", name, "--ignore-not-found")
