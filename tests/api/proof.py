"""Our CRDs on a real API server, under a group of their own.

The schema is byte for byte ours; only the group and the names on the command line differ, so that the proof
neither needs nor disturbs a release whose CRDs the same cluster holds: `modelsync` still means the release's.
Requests go through `kubectl proxy`: whatever way a kubeconfig authenticates, they cost milliseconds.
"""

import contextlib
import http.client
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from typing import Any

import pytest

from dev import kube
from modelsync.api import crd, naming
from tests import needs

GROUP = f"proof.{naming.GROUP}"
API_VERSION = f"{GROUP}/{naming.VERSION}"
NAMESPACE = f"modelsync-proof-{os.getpid()}"
NEEDS_CLUSTER = [
    pytest.mark.e2e,
    pytest.mark.apart,
    needs.CLUSTER,
]
Object = dict[str, Any]
PLURALS = {naming.SYNC_KIND: f"proof{naming.SYNC_PLURAL}", naming.QUEUE_KIND: f"proof{naming.QUEUE_PLURAL}"}
SYNCS, QUEUES = (f"{plural}.{GROUP}" for plural in PLURALS.values())


class Refused(AssertionError):
    """The API server said no; `lines` holds what kubectl prints, a line a cause."""

    def __init__(self, status: Object) -> None:
        causes = status.get("details", {}).get("causes", [])
        self.lines = [f"{c['field']}: {c['message']}" for c in causes] or [status["message"]]
        super().__init__("\n".join(self.lines))


class Proof:
    """A hand on the API server; every call is one request."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        self._connection = connection

    def create(self, kind: str, spec: Any, *, name: str = "proof", dry_run: bool = True) -> Object:
        """Create an object; returns it as stored, or raises Refused."""
        body = {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}
        return self.call("POST", kind, "", body, dry_run=dry_run)

    def patch(self, kind: str, name: str, change: Object, *, sub: str = "", dry_run: bool = True) -> Object:
        """A JSON merge patch; returns the object as stored, or raises Refused."""
        return self.call("PATCH", kind, f"/{name}{sub}", change, dry_run=dry_run)

    def get(self, kind: str, name: str) -> Object:
        """An object as it is stored."""
        return self.call("GET", kind, f"/{name}", {}, dry_run=False)

    def create_job(self, manifest: Object) -> None:
        """Create a Job without storing it; raises Refused."""
        body = {**manifest, "metadata": {**manifest["metadata"], "namespace": NAMESPACE}}
        self._ask("POST", f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs?dryRun=All", body, "application/json")

    def call(self, method: str, kind: str, path: str, body: Object, *, dry_run: bool) -> Object:
        """One request with strict field validation, as kubectl makes it."""
        query = "?fieldValidation=Strict" + ("&dryRun=All" if dry_run else "")
        url = f"/apis/{API_VERSION}/namespaces/{NAMESPACE}/{PLURALS[kind]}{path}{query}"
        media = "application/merge-patch+json" if method == "PATCH" else "application/json"
        return self._ask(method, url, body, media)

    def _ask(self, method: str, url: str, body: Object, media: str) -> Object:
        self._connection.request(method, url, json.dumps(body), {"Content-Type": media})
        answer = json.loads(self._connection.getresponse().read())
        if answer["kind"] == "Status":
            raise Refused(answer)
        return dict(answer)


def renamed() -> list[Object]:
    """Our CRDs with the proof's group, and with names of its own but for the kind."""
    text = json.dumps(crd.all_crds())
    text = text.replace(f'.{naming.GROUP}"', f'.{GROUP}"').replace(f'"{naming.GROUP}"', f'"{GROUP}"')
    made: list[Object] = json.loads(text)
    for one in made:
        names = one["spec"]["names"]
        names |= {"plural": PLURALS[names["kind"]], "singular": f"proof{names['singular']}"}
        del names["shortNames"]
        one["metadata"]["name"] = f"{names['plural']}.{GROUP}"
    return made


@contextlib.contextmanager
def space() -> Iterator[None]:
    """The namespace, removed at the end."""
    kube.make_namespace(NAMESPACE)
    try:
        yield
    finally:
        kube.kubectl("delete", "namespace", NAMESPACE, "--wait=false", "--ignore-not-found")


@contextlib.contextmanager
def installed() -> Iterator[Proof]:
    """The CRDs on the cluster, removed at the end.

    kubectl remembers for hours what an API server has. It does so in a cache of our own here, which ends with
    them.
    """
    with tempfile.TemporaryDirectory() as cache, pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBECACHEDIR", cache)
        yield from _installed()


def _installed() -> Iterator[Proof]:
    crds = renamed()
    names = [found["metadata"]["name"] for found in crds]
    kube.apply(*crds)
    try:
        kube.kubectl("wait", "--for=condition=Established", "--timeout=30s", *(f"crd/{n}" for n in names))
        with _connection() as connection:
            kube.eventually(lambda: _is_served(connection), 30, "the proof's CRDs are served")
            kube.eventually(_is_explained, 30, "the proof's CRDs are described")
            yield Proof(connection)
    finally:
        kube.kubectl("delete", "crd", *names, "--ignore-not-found")


def _is_served(connection: http.client.HTTPConnection) -> bool:
    """Whether both kinds answer; established CRDs are served a moment later."""
    codes = set()
    for plural in PLURALS.values():
        connection.request("GET", f"/apis/{API_VERSION}/{plural}")
        answer = connection.getresponse()
        answer.read()
        codes.add(answer.status)
    return codes == {200}


def _is_explained() -> bool:
    """Whether kubectl finds the kinds and their documentation, which are published after the CRD itself."""
    try:
        for plural in PLURALS.values():
            kube.kubectl("explain", f"{plural}.spec", f"--api-version={API_VERSION}")
    except kube.KubectlError:
        return False
    return True


@contextlib.contextmanager
def _connection() -> Iterator[http.client.HTTPConnection]:
    process = subprocess.Popen(["kubectl", "proxy", "--port=0"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        port = re.search(r":(\d+)$", said.strip())
        assert port is not None, f"kubectl proxy said {said!r}"
        connection = http.client.HTTPConnection("127.0.0.1", int(port[1]), timeout=30)
        try:
            yield connection
        finally:
            connection.close()
    finally:
        process.terminate()
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()
