"""Addresses: what a source, an answer of it, or another process leads a worker to, by every engine."""

import base64
import contextlib
import ipaddress
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dev import kube
from dev.origins.content import Synthetic
from dev.origins.files.origin import Origin
from dev.origins.hub import HubServer, Repository, cas
from modelsync.api.reasons import Reason
from modelsync.api.source.transfer import Engine, Layout
from modelsync.worker.common.failures import Failure
from modelsync.worker.engines.library.gateway import Gateway
from modelsync.worker.http import address_policy, urls
from modelsync.worker.http.client import Transport
from modelsync.worker.http.connector import Network
from tests.attacks.case import Attack, Ground, Outcome
from tests.faults.rows import addresses as rows
from tests.faults.rows.row import replaced
from tests.origins.syncs import End, Sync
from tests.worker.hubs import HubSync

_PATH, _SIZE, _TOKEN = "model.safetensors", 300_000, "hf_canary"
_HERE, _FORBIDDEN = "127.0.0.1", "127.0.0.2"
_ALLOWED = [ipaddress.ip_network("127.0.0.1/32")]
_BY_ENGINE = {
    Engine.NATIVE: ("hub", "s3", "web"),
    Engine.HF_TRANSFER: ("hub", "s3", "web"),
    Engine.HUGGING_FACE_HUB: ("hub",),
}


def _network(bounds: address_policy.Reach, **more: Any) -> Network:
    return Network(timeout_seconds=3.0, connections=2, reach=bounds, **more)


def _ended(origin: Origin, network: Network, kind: str, engine: Engine, **more: Any) -> End:
    with tempfile.TemporaryDirectory(prefix="attack-") as folder:
        sync = Sync(origin=origin, volume=Path(folder), kind=kind, engine=engine, network=network, **more)
        return sync.run()


def _unasked(end: End, inside: Origin) -> str:
    """The problem with a sync that had to be refused before anybody inside was asked."""
    if inside.accepted:
        return f"{inside.accepted} connections, {len(inside.log)} requests inside; ended with {end.reason}"
    return "" if end.reason is Reason.ADDRESS_FORBIDDEN else f"ended with {end.reason}: {end.message}"


def redirected(full: bool) -> Iterator[Outcome]:
    """By the first answer, or by a later one when the first was honest."""
    files = {_PATH: Synthetic(_SIZE, 1)}
    for engine, kinds in _BY_ENGINE.items():
        for kind in kinds if full else kinds[:1]:
            for moment in ("@1x*", "@2x*", "@3x*") if full else ("@1x*", "@2x*"):
                with Origin(files, host=_FORBIDDEN) as inside, Origin(files) as origin:
                    origin.strike(_PATH, f"redirect={inside.url}/web/{_PATH}{moment}")
                    end = _ended(origin, _network(address_policy.of_worker(_ALLOWED)), kind, engine)
                struck = any(entry.faults for entry in origin.log)
                problem = _unasked(end, inside) if struck else ""
                yield f"{engine}, {kind}, answer {moment}", problem


def led_inside(full: bool) -> Iterator[Outcome]:
    """From the internet to an address inside, for a command that may reach both."""
    files = {_PATH: Synthetic(_SIZE, 1)}
    for engine, kinds in _BY_ENGINE.items():
        for kind in kinds if full else kinds[:1]:
            for moment in ("@1x*", "@2x*"):
                with (
                    Origin(files, host=_FORBIDDEN) as inside,
                    Origin(files, host=rows.OUTSIDE) as origin,
                    rows.internet(),
                ):
                    origin.strike(_PATH, f"redirect={inside.url}/web/{_PATH}{moment}")
                    end = _ended(origin, _network(address_policy.Reach()), kind, engine)
                struck = any(entry.faults for entry in origin.log)
                yield f"{engine}, {kind}, answer {moment}", _unasked(end, inside) if struck else ""


def next_page(full: bool) -> Iterator[Outcome]:
    """A Hub's listing whose next page is said to be elsewhere, asked for with the token."""
    files = {f"{number}.json": b"{}" for number in range(5)}
    with Origin(files, host=_FORBIDDEN) as other, Origin(files, token=_TOKEN) as origin:
        origin.page_size = 2
        host, port = urls.parsed(other.url).origin[1:]
        for base in (
            other.url,
            f"https://{host}:{port}",
            f"//{host}:{port}",
            f"{origin.url.replace('http://', 'http://user:secret@')}".replace(_HERE, host),
            f"{origin.url}@{host}:{port}",
            f"HTTP://{host}:{port}",
            "http://localhost:1",
        ):
            origin.pages_at = base
            for bounds in (address_policy.Reach(), address_policy.of_worker(_ALLOWED)):
                end = _ended(origin, _network(bounds), "hub", Engine.NATIVE, token=_TOKEN)
                problem = "" if not other.accepted else "the other origin was asked"
                if not problem and end.reason is not Reason.ORIGIN_ERROR:
                    problem = "" if sorted(end.published) == sorted(files) else f"{end.reason}: {end.message}"
                yield f"{base.replace(str(port), 'PORT')}", problem


def token_of_xet(full: bool) -> Iterator[Outcome]:
    """A Hub says that tokens of Xet are to be had elsewhere, where the user's token would go."""
    repository = Repository("org/model", {_PATH: Synthetic(_SIZE)}, xet=True)
    honest = cas.headers
    with (
        Origin({}, host=_FORBIDDEN) as other,
        HubServer(repository, tokens={_TOKEN: None}) as hub,
        tempfile.TemporaryDirectory(prefix="attack-") as folder,
    ):
        for name in ("Link and header", "header alone"):

            def headers(*given: Any, name: str = name) -> dict[str, str]:
                sent = {key: value.replace(hub.url, other.url) for key, value in honest(*given).items()}
                if name == "header alone":
                    del sent["Link"]
                return sent

            sync = HubSync(hub, Path(folder) / name, engine=Engine.HUGGING_FACE_HUB, layout=Layout.DIRECTORY)
            sync.token = _TOKEN
            with replaced(cas, "headers", headers):
                done = sync.run()
            yield name, "the other origin was asked" if other.accepted else "" if done.files else "no files"


def bucket_elsewhere(full: bool) -> Iterator[Outcome]:
    """An S3 server says that the bucket is at another host, or in a region whose name is one."""
    with Origin({}, host=_FORBIDDEN) as other:
        place = other.url.removeprefix("http://")
        for status in (301, 307, 400) if full else (301,):
            for region in ("us-east-2", f"x.{place}/#", f"@{place}", "")[0 if full else 2 :]:
                with Origin({_PATH: Synthetic(1000, 1)}) as origin:
                    headers = {"Location": f"{other.url}/bucket", "x-amz-bucket-region": region}
                    faults = [
                        f"list:header={name}:{quote(value)}x*" for name, value in headers.items() if value
                    ]
                    origin.strike("", f"list:status={status}x*", *faults)
                    end = _ended(origin, _network(address_policy.Reach()), "s3", Engine.NATIVE)
                problem = f"ended with {end.reason}" if end.reason is Reason.SYNCED else ""
                yield (
                    f"{status}, region {region!r}".replace(place, "HOST"),
                    f"{other.accepted} connections to it" if other.accepted else problem,
                )


def spellings(full: bool) -> Iterator[Outcome]:
    """Loopback, link-local, metadata, private and what carries them, as host of every kind of source."""
    hosts = (
        *rows.HOSTS,
        "[fd20:ce::254]", "[64:ff9b:1::a00:1]", "[64:ff9b:1:a00:0:100::]", "[fec0::1]", "[::7f00:1]",
        "[::a00:1]", "[2001:0:4136:e378:8000:63bf:3fff:fdd2]", "[2002:a00:1::]", "[::ffff:0:a00:1]",
        "[64:ff9b::a00:1]", "[2a00::5efe:a00:1]", "[2a00::200:5efe:7f00:1]", "[fc00::1]", "[100::1]",
        "[2001:db8::1]", "[5f00::1]", "10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "198.18.0.1",
        "192.0.2.1", "0xa.1", "167772161",
    )  # fmt: skip
    for host in hosts if full else hosts[:: len(hosts) // 9]:
        for url in (f"http://{host}:9", f"https://{host}:9/f"):
            for way, proxies in (("", {}), (" by a proxy", {"all": "http://127.0.0.1:9"})):
                if proxies and host.startswith("localhost"):
                    continue  # the proxy's own
                network = _network(address_policy.of_worker(), proxies=proxies)
                with rows.unconnected(), contextlib.closing(Transport(network)) as transport:
                    yield f"{url}{way}", rows.ended(rows.fetched, transport, url)


def foreign_use(full: bool) -> Iterator[Outcome]:
    """Another process of the Pod uses the way out of a worker's libraries."""
    with Origin({"x": b"secret"}) as origin:
        refusals: list[Failure] = []
        gateway = Gateway(_network(address_policy.of_worker(_ALLOWED)), refusals.append)
        gateway.start()
        try:
            place = urls.parsed(gateway.url.replace(gateway.url[7 : gateway.url.index("@") + 1], "")).origin
            secret = gateway.url[7 : gateway.url.index("@")]
            host = origin.url.removeprefix("http://")
            wrong = {
                "no password": "",
                "an empty one": f"Basic {base64.b64encode(b'modelsync:').decode()}",
                "another": f"Basic {base64.b64encode(b'modelsync:x').decode()}",
                "as a token": f"Bearer {secret}",
                "cut": f"Basic {base64.b64encode(secret.encode()).decode()[:-4]}",
            }
            for name, value in wrong.items():
                fields = f"Proxy-Authorization: {value}\r\n" if value else ""
                for line in (f"GET {origin.url}/web/x HTTP/1.1", f"CONNECT {host} HTTP/1.1"):
                    answer = _sent(place, f"{line}\r\nHost: {host}\r\n{fields}\r\n".encode())
                    yield f"{name}, {line.split()[0]}", "" if b" 407 " in answer else repr(answer[:80])
            known = f"Proxy-Authorization: Basic {base64.b64encode(secret.encode()).decode()}\r\n\r\n"
            for line in (
                f"POST {origin.url}/web/x HTTP/1.1", "GET /web/x HTTP/1.1", f"GET https://{host}/ HTTP/1.1",
                "GET file:///etc/passwd HTTP/1.1", "CONNECT / HTTP/1.1", "CONNECT [::1 HTTP/1.1",
                f"CONNECT {host}:0:0 HTTP/1.1", f"GET {origin.url}/web/x HTTP/0.9", "\x00" * 40,
                "GET " + "x" * 70_000 + " HTTP/1.1",
            ):  # fmt: skip
                answer = _sent(place, f"{line}\r\n{known}".encode())
                asked = f"{len(origin.log)} requests" if len(origin.log) else ""
                bad = repr(answer[:80]) if answer.startswith(b"HTTP/1.1 2") else ""
                yield f"malformed: {line[:30]!r}", asked or bad
            idle = [socket.create_connection((place.host, place.port)) for _ in range(600 if full else 20)]
            with contextlib.ExitStack() as stack:
                for each in idle:
                    stack.callback(each.close)
                began = time.monotonic()
                answer = _sent(place, f"GET {origin.url}/web/x HTTP/1.1\r\n{known}".encode(), seconds=30)
                took = time.monotonic() - began
                problem = "" if b"secret" in answer else f"nothing after {took:.0f} s"
                yield f"{len(idle)} silent connections", problem
        finally:
            gateway.close()


def _sent(place: urls.Origin, data: bytes, *, seconds: float = 5.0) -> bytes:
    with socket.create_connection((place.host, place.port), timeout=seconds) as connection:
        answer = b""
        with contextlib.suppress(OSError):
            connection.sendall(data)
            while not answer.endswith(b"secret") and (piece := connection.recv(65536)):
                answer += piece
        return answer


def distinguished(full: bool) -> Iterator[Outcome]:
    """What is at a forbidden address: open, closed, TLS, statuses and sizes have one and the same message."""
    with Origin({"a": b"1", "b": b"22"}, host=_FORBIDDEN) as inside:
        ports = {
            "open": inside.url,
            "closed": f"http://{_FORBIDDEN}:1",
            "TLS": inside.url.replace("http", "https"),
            "absent": f"{inside.url}/web/none",
            "another size": f"{inside.url}/web/b",
        }
        for engine in (Engine.NATIVE, Engine.HF_TRANSFER):
            messages: dict[str, str] = {}
            for name, url in ports.items():
                with Origin({"a": b"1"}) as origin:
                    network = _network(address_policy.of_worker(_ALLOWED))
                    end = _ended(origin, network, "web", engine, urls={"a": f"{url}/web/a"})
                messages[name] = f"{end.reason}: {end.message}"
            for name, message in messages.items():
                yield f"{engine}, {name}", "" if message == messages["open"] else message
        yield "nobody was asked", "" if not inside.accepted else f"{inside.accepted} connections"


def service(full: bool) -> Iterator[Outcome]:
    """The operator's own port, the API server and a kubelet as files, with the chart's own addresses."""
    api = kube.get("service", "kubernetes", "default")["spec"]["clusterIP"]
    targets = {
        "by name": "http://modelsync.modelsync-system.svc:8080/healthz",
        "by its whole name": "http://modelsync.modelsync-system.svc.cluster.local:8080/healthz",
        "the API server": f"https://{api}/version",
        "the API server over http": f"http://{api}:443/version",
        "the API server by name": "https://kubernetes.default.svc/version",
        "metadata": "http://169.254.169.254/latest/meta-data/",
    }
    with kube.namespace("attack-addresses") as space:
        kube.apply(kube.claim("models", space))
        for number, url in enumerate(targets.values()):
            files = [{"url": url, "path": "f"}]
            kube.apply(kube.sync(f"s{number}", space, {"http": {"files": files}}))
        for number, name in enumerate(targets):
            ended = kube.wait_for(f"s{number}", space, kube.phase_is("Failed", "Complete"), 90, name)
            reason = kube.ready_reason(ended)
            yield name, "" if reason == Reason.ADDRESS_FORBIDDEN else f"ended with {reason}"


ATTACKS = (
    Attack(topic="addresses", name="a redirect to a forbidden address, by every engine", how=Ground.LOOPBACK,
           run=redirected),
    Attack(topic="addresses", name="a redirect from the internet to an address inside, by every engine",
           how=Ground.LOOPBACK, run=led_inside),
    Attack(topic="addresses", name="a Hub's next page at another origin", how=Ground.LOOPBACK, run=next_page),
    Attack(topic="addresses", name="a Hub that sends the user's token elsewhere for Xet", how=Ground.LOOPBACK,
           run=token_of_xet),
    Attack(topic="addresses", name="an S3 server that says the bucket is elsewhere", how=Ground.LOOPBACK,
           run=bucket_elsewhere),
    Attack(topic="addresses", name="special addresses in every spelling, directly and by a proxy",
           how=Ground.CODE, run=spellings),
    Attack(topic="addresses", name="another process uses the libraries' way out", how=Ground.LOOPBACK,
           run=foreign_use),
    Attack(topic="addresses", name="ports of a forbidden address distinguished by message",
           how=Ground.LOOPBACK, run=distinguished),
    Attack(topic="addresses", name="services of the cluster as files", how=Ground.CLUSTER, run=service),
)  # fmt: skip
