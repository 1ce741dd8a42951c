"""TLS that is not to be trusted, and redirects that want a secret or less safety."""

import contextlib
import tempfile
from collections.abc import Callable
from pathlib import Path

from dev.origins import certificates
from dev.origins.content import Synthetic
from dev.origins.files.origin import Origin
from modelsync.api.reasons import Reason
from modelsync.worker.sources.credentials import Given, Hidden
from tests.faults.case import Case, Tally
from tests.faults.rows.row import PATH, SUITE, Row, judged
from tests.faults.rows.tls import made
from tests.origins.syncs import End, Sync

SECRET = "canary-of-the-list"
HOST = "127.0.0.1"
_SIZE = 300_000
UNKNOWN = "an unknown authority"


class _Secretive(Sync):
    """A sync of URLs whose Secret holds a token."""

    __slots__ = ()

    def credentials(self) -> Given:
        return Given(where="the Secret", values={"token": Hidden(SECRET)})


def _synced(
    seed: int,
    row: Row,
    tls: certificates.Tls,
    *,
    trusted: Path | None = None,
    prepare: Callable[[Origin], None] = lambda origin: None,
) -> str:
    """A sync over TLS with the row's faults; what is wrong with its end."""
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="faults-")))
        origin = Origin({PATH: Synthetic(_SIZE, seed)}, certificate=(tls.certificate, tls.key))
        stack.enter_context(origin)
        prepare(origin)
        origin.strike(PATH, *row.faults)
        sync = _Secretive(origin=origin, volume=directory, kind="web", ca_file=trusted or tls.authority)
        for name, value in row.sync.items():
            setattr(sync, name, value)
        end = sync.run()
        return judged(row, sync, end) or row.check(sync, end)


def _plain(row: Row) -> Case:
    def run(seed: int, count: int) -> Tally:
        tally = Tally()
        for number in range(count):
            wrong = _synced(seed + number, row, made(HOST))
            tally.add(not wrong, f"try {number}: {wrong}")
        return tally

    return Case(suite=SUITE, name=row.name, run=run, full=row.full, quick=row.quick)


def _untrusted(name: str, expected: str, presented: Callable[[], certificates.Tls]) -> Case:
    """A certificate that must end the sync before a request, with a message that says why."""
    check = lambda sync, end: "" if expected in end.message else f"the message: {end.message}"  # noqa: E731
    row = Row(name=name, ends=Reason.NETWORK_ERROR, most_requests=0, check=check)

    def run(seed: int, count: int) -> Tally:
        tally = Tally()
        for number in range(count):
            tls = presented()
            trusted = made("127.0.0.8").authority if name == UNKNOWN else tls.authority
            wrong = _synced(seed + number, row, tls, trusted=trusted)
            tally.add(not wrong, f"try {number}: {wrong}")
        return tally

    return Case(suite=SUITE, name=f"TLS: {name}", run=run, full=4, quick=1)


def _elsewhere(seed: int, count: int) -> Tally:
    """A redirect to another origin: the file comes, and the token stays."""
    tally = Tally()
    for number in range(count):
        other = Origin({PATH: Synthetic(_SIZE, seed + number)}, certificate=_pair(made(HOST)))
        with other:
            row = Row(name="", faults=(f"redirect={other.url}/web/{PATH}x*",), most_bytes=1.0)
            wrong = _synced(seed + number, row, made(HOST))
        if not wrong and other.log.heard(SECRET):
            wrong = "the token reached the other origin"
        if not wrong and not other.log.sent(PATH):
            wrong = "nothing came from the other origin"
        tally.add(not wrong, f"try {number}: {wrong}")
    return tally


def _downgrade(seed: int, count: int) -> Tally:
    """A redirect from https to http: refused, and nobody there hears anything."""
    tally = Tally()
    for number in range(count):
        with Origin({PATH: Synthetic(_SIZE, seed + number)}) as other:
            fault = f"redirect={other.url}/web/{PATH}x*"
            row = Row(name="", faults=(fault,), ends=Reason.ORIGIN_ERROR, most_requests=8)
            wrong = _synced(seed + number, row, made(HOST))
            tally.add(not wrong and not len(other.log), f"try {number}: {wrong or 'it was asked'}")
    return tally


def _pair(tls: certificates.Tls) -> tuple[Path, Path]:
    return tls.certificate, tls.key


def _all_are_authorized(sync: Sync, end: End) -> str:
    asked = [entry for entry in sync.origin.log if SECRET not in entry.authorization]
    return f"{len(asked)} requests without the token" if asked else ""


_BARE = {"digests": False, "sizes": False}
CASES: tuple[Case, ...] = (
    _plain(Row(name="TLS: the token goes to its own origin", check=_all_are_authorized, full=4)),
    _plain(Row(name="TLS: cut without close_notify (truncation)", faults=("cut@40%",))),
    _plain(Row(name="TLS: chunks cut without close_notify", faults=("chunkedx*", "cut@40%"))),
    _plain(
        Row(
            name="TLS: a body of unknown length, cut without close_notify, is not taken for the whole",
            faults=("wholex*", "length=x*", "cut@40%x*"),
            sync=_BARE | {"max_retries": 1},
            ends=Reason.ORIGIN_ERROR,
    
        )
    ),
    _untrusted("an expired certificate", "expired", lambda: made(HOST, expired=True)),
    _untrusted("a certificate of another host", "not valid for", lambda: made("127.0.0.9")),
    _untrusted(UNKNOWN, "certificate", lambda: made(HOST)),
    Case(suite=SUITE, name="a redirect to another origin never takes the token along", run=_elsewhere, full=6,
         quick=1),
    Case(suite=SUITE, name="a redirect from https to http is refused", run=_downgrade, full=6, quick=1),
)  # fmt: skip
