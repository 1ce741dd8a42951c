"""Addresses that a download may not reach, in every spelling, by redirects, and by names that change."""

import contextlib
import ipaddress
import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import urllib3.util.connection

from dev.origins.content import Synthetic
from dev.origins.files.origin import Origin
from modelsync.api.reasons import Reason
from modelsync.api.source import sources
from modelsync.worker.common.failures import Failure
from modelsync.worker.common.model import Request
from modelsync.worker.http import address_policy, connector
from modelsync.worker.http.client import Transport
from modelsync.worker.http.connector import Network
from modelsync.worker.http.dns_cache import Names
from modelsync.worker.sources import factory
from modelsync.worker.sources.credentials import Given
from tests.faults.case import Case, Tally
from tests.faults.rows.row import PATH, SUITE, replaced
from tests.origins.syncs import Sync

_SIZE = 300_000
INSIDE, OUTSIDE = "127.0.0.1", "127.0.0.3"
"""Both are this machine; the second is taken for an address of the internet."""
HOSTS = (
    # This machine, as people write it and as they hide it.
    "localhost", "127.0.0.1", "127.0.0.53", "127.1", "127.0.1", "127.255.255.254", "2130706433", "0x7f000001",
    "0x7f.0.0.1", "0177.0.0.1", "017700000001", "0x7f.1", "00177.0.0.0x1", "[::1]", "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "0", "0.0.0.0",
    "0.0.0.1", "[::]", "[::ffff:0.0.0.0]",
    # The clouds' metadata, and what else is link-local.
    "169.254.169.254", "169.254.169.253", "169.254.170.2", "169.254.170.23", "169.254.0.1", "2852039166",
    "0xa9fea9fe", "0xa9.0xfe.0xa9.0xfe", "0251.0376.0251.0376", "169.254.43518", "169.16689662",
    "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::1]",
    "[fe80::1]", "[fe80::a9fe:a9fe]", "[febf::1]", "[fd00:ec2::254]", "[fd00:ec2::23]", "168.63.129.16",
    "[::ffff:168.63.129.16]", "100.100.100.200", "0x646464c8", "192.0.0.192",
    # No single host.
    "224.0.0.1", "239.255.255.250", "255.255.255.255", "240.0.0.1", "[ff02::1]", "[ff0e::1]", "0xffffffff",
    # What the administrator names: the cluster's services, its nodes, its Pods.
    "10.96.0.1", "172.18.0.2", "[fd00:10:96::1]", "[::ffff:10.96.0.1]", "[64:ff9b::a60:1]", "0x0a600001",
)  # fmt: skip
"""Hosts of URLs that no worker may connect to."""
_UNPARSED = tuple(f"{scheme}://{start}" for scheme in ("http", "https") for start in ("0177.", "0251."))
"""URLs that huggingface_hub's client takes for none."""
_DENIED = [ipaddress.ip_network(block) for block in ("10.96.0.0/12", "172.18.0.0/16", "fd00:10:96::/112")]
_WORKER = address_policy.of_worker(denied=_DENIED)


def _network(bounds: address_policy.Reach) -> Network:
    return Network(timeout_seconds=1.0, reach=bounds)


def ended(ask: Callable[..., object], *given: object) -> str:
    """What is wrong with the end of something that must be refused for its address."""
    try:
        ask(*given)
    except Failure as failure:
        if failure.reason is Reason.ADDRESS_FORBIDDEN and "may not reach" in failure.message:
            return ""
        return f"{failure.reason}: {failure.message}"
    except Exception as error:
        return f"ended with {type(error).__name__}"
    return "was asked"


def _hosts(seed: int, count: int) -> Tally:
    """Each host by each kind of source, and as a file's URL."""
    tally, hosts = Tally(), random.Random(seed).sample(HOSTS, count)
    for url in (f"{scheme}://{host}:9" for host in hosts for scheme in ("http", "https")):
        hub = sources.HuggingFaceSource(repository="org/model", endpoint=url)
        s3 = sources.S3Source(bucket="bucket", endpoint=url)
        with unconnected(), contextlib.closing(Transport(_network(_WORKER))) as transport:
            for spec in (sources.Source(hugging_face=hub), sources.Source(s3=s3)):
                source = factory.open_source(spec, Given(where="the Secret"), _network(_WORKER))
                wrong = ended(source.resolve, None)
                if spec.hugging_face and url.startswith(_UNPARSED):
                    wrong = wrong.removeprefix("OriginError: ").removeprefix(url)
                    wrong = "" if wrong.startswith(" does not answer as the Hub does") else wrong
                tally.add(not wrong, f"{spec.kind} {url}: {wrong}")
            wrong = ended(fetched, transport, f"{url}/x")
            tally.add(not wrong, f"a file of {url}: {wrong}")
    return tally


def fetched(transport: Transport, url: str) -> None:
    """Ask for a URL and want nothing of the answer."""
    transport.get(Request(url=url), {}).response.close()


@contextlib.contextmanager
def unconnected() -> Iterator[None]:
    """Connect to nobody, since an address that is not refused may be anybody's."""

    def connect(address: tuple[str, int], *_: object, **__: object) -> None:
        raise AssertionError(f"{address[0]} would be connected to")

    with replaced(urllib3.util.connection, "create_connection", connect):
        yield


@contextlib.contextmanager
def internet() -> Iterator[None]:
    """Take one address of this machine for one of the internet, as no other is at hand."""
    judge = address_policy._of_the_internet
    with replaced(address_policy, "_of_the_internet", lambda text: text == OUTSIDE or judge(text)):
        yield


def _inwards(seed: int, count: int) -> Tally:
    """An origin of the internet redirects the listing, or a file, to an address inside: nobody there hears of
    it, not even on a connection that is open already."""
    tally = Tally()
    for number in range(count):
        files = {PATH: Synthetic(_SIZE, seed + number)}
        for kind, fault in (("web", ""), ("hub", ""), ("hub", "info:"), ("s3", "")):
            with (
                Origin(files) as inside,
                Origin(files, host=OUTSIDE) as origin,
                internet(),
            ):
                origin.strike("" if fault else PATH, f"{fault}redirect={inside.url}/web/{PATH}x*")
                with tempfile.TemporaryDirectory(prefix="faults-") as directory:
                    end = Sync(origin=origin, volume=Path(directory), kind=kind).run()
            wrong = (
                "" if end.reason is Reason.ADDRESS_FORBIDDEN else f"ended with {end.reason}: {end.message}"
            )
            tally.add(not wrong and not len(inside.log), f"{kind} {fault}: {wrong or 'it was asked'}")
    return tally


def _rebound(seed: int, count: int) -> Tally:
    """A name that leads to an allowed address, and at the next lookup to another."""
    tally = Tally()
    bounds = address_policy.of_worker(allowed=[ipaddress.ip_network(f"{OUTSIDE}/32")])
    for _ in range(count):
        with (
            Origin({PATH: b"x"}) as inside,
            Origin({PATH: b"x"}, host=OUTSIDE) as origin,
        ):
            answers = iter([[OUTSIDE], [INSIDE], ["::ffff:127.0.0.1", INSIDE]])
            names = Names(lambda host, port, answers=answers: next(answers))  # type: ignore[misc]
            with replaced(connector, "NAMES", names):
                for port, right in ((origin.url, "was asked"), (inside.url, ""), (inside.url, "")):
                    url = f"http://models.example:{port.rpartition(':')[2]}/web/{PATH}"
                    with contextlib.closing(Transport(_network(bounds))) as transport:
                        answered = ended(fetched, transport, url)
                    names.forget("models.example")
                    tally.add(answered == right, f"{url}: {answered}")
            tally.add(not len(inside.log), "the address inside was asked")
    return tally


CASES: tuple[Case, ...] = (
    Case(suite=SUITE, name="addresses that no worker may reach, in every spelling and source", run=_hosts,
         full=len(HOSTS), quick=16),
    Case(suite=SUITE, name="a redirect from the internet to an address inside is not followed", run=_inwards,
         full=8, quick=1),
    Case(suite=SUITE, name="a name that changes its address between lookups", run=_rebound, full=8, quick=1),
)  # fmt: skip
