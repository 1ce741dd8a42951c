"""One user of the page against another: ServiceAccounts with the role `edit` in a namespace each."""

import asyncio
import contextlib
import json
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dev import kube
from dev.origins.hub import HubServer
from modelsync.web import app
from tests.attacks import forged_requests
from tests.attacks.case import Attack, Ground, Outcome
from tests.attacks.forged_requests import Request, Victim
from tests.e2e import page_server, release
from tests.e2e.page_server import SECONDS, Answer, PageServer
from tests.e2e.release import ORIGIN_HOST
from tests.e2e.sources import hub_source
from tests.page import browsing

_TIMES = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(?:Z|\+00:00)")
_RUNS = "this-one-runs"
_FAILED = "this-one-failed"
_STREAMS = "text/event-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A ServiceAccount, its namespace, and what only it may know."""

    namespace: str
    token: str
    secrets: tuple[str, ...]
    """Texts of its ModelSyncs that no request names."""


def other_users_api(full: bool) -> Iterator[Outcome]:
    """Every route, parameter and header of the API, with another user's names in them."""
    with _two_users() as (server, ann, bob):
        for attacker, owner in ((ann, bob), (bob, ann)) if full else ((ann, bob),):
            yield from _by_api(server, attacker, owner, full)


def other_users_page(full: bool) -> Iterator[Outcome]:
    """The page itself, with another user's names in its address and in what it remembers."""
    with _two_users() as (server, ann, bob):
        for attacker, owner in ((ann, bob), (bob, ann)) if full else ((ann, bob),):
            yield from asyncio.run(_by_page(server, attacker, owner))


@contextlib.contextmanager
def _two_users() -> Iterator[tuple[PageServer, User, User]]:
    """Two namespaces with a user each; both have a ModelSync that runs, in one queue, and a Failed one."""
    with contextlib.ExitStack() as stack:
        hub = stack.enter_context(HubServer(host=ORIGIN_HOST))
        hub.rate = 100_000
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        stack.enter_context(release.queue("page-shared", 2))
        spaces = [stack.enter_context(kube.namespace(f"page-{name}")) for name in ("ann", "bob")]
        for space in spaces:
            _begin(space, hub)
        users = [_user(space) for space in spaces]
        yield stack.enter_context(PageServer(Path(folder))), users[0], users[1]


def _begin(space: str, hub: HubServer) -> None:
    runs = kube.sync(
        _RUNS, space, hub_source(hub, f"org/source-of-{space}", size=100_000_000), queue="page-shared",
        group=f"group-of-{space}", sub_path=f"directory-of-{space}",
    )  # fmt: skip
    runs["metadata"]["labels"] = {"team": f"label-of-{space}"}
    absent = {"huggingFace": {"repository": f"org/source-of-{space}-absent", "endpoint": hub.url}}
    kube.apply(kube.claim("models", space), runs, kube.sync(_FAILED, space, absent))


def _user(space: str) -> User:
    kube.wait_for(_RUNS, space, kube.phase_is("Downloading"), SECONDS, "Downloading")
    kube.wait_for(_FAILED, space, kube.phase_is("Failed"), SECONDS, "Failed")
    uid = kube.get("modelsync", _RUNS, space)["metadata"]["uid"]
    texts = (f"{kind}-of-{space}" for kind in ("source", "group", "directory"))
    return User(namespace=space, token=page_server.user("user", space), secrets=(uid, *texts))


def _by_api(server: PageServer, attacker: User, owner: User, full: bool) -> Iterator[Outcome]:
    victim = _victim(server, owner)
    strangers = (
        replace(victim, namespace=_likewise(victim.namespace)),
        replace(victim, name=_likewise(victim.name)),
    )
    before = _kept(owner)
    document = app.document()
    tags = ("*", '"1"') if full else ()
    twins = (forged_requests.requests(document, each, tags) for each in (victim, *strangers))
    for number, (request, *others) in enumerate(zip(*twins, strict=True)):
        answer = _ask(server, attacker, request)
        problem = _problem(request, answer, owner)
        for other in others if full else others[number % 2 :][:1]:
            # What does not exist must look the same as what is another's.
            if not problem and str(other) != str(request):
                problem = _difference(answer, _ask(server, attacker, other), victim)
        yield str(request), problem
    yield from _speeds(server, attacker)
    yield "the ModelSyncs afterwards", "" if _kept(owner) == before else "they were changed"


def _victim(server: PageServer, owner: User) -> Victim:
    """All that the owner's own requests return, and proof that these show something."""
    path = f"api/v1/namespaces/{owner.namespace}/modelsyncs"
    mine = server.ask("GET", f"{path}/{_RUNS}", owner.token)
    assert all(secret in mine.text for secret in owner.secrets), mine.text
    page = server.ask("GET", f"api/v1/modelsyncs?namespace={owner.namespace}&limit=1", owner.token).json
    stream = _first_event(server, owner.token, {})
    assert owner.secrets[1] in stream
    kube.eventually(lambda: max(_down(server, owner.token, ""), default=0) > 0, 60, "a speed of the owner's")
    return Victim(
        namespace=owner.namespace,
        name=_RUNS,
        queue="page-shared",
        label=f"team=label-of-{owner.namespace}",
        version=mine.json["metadata"]["resourceVersion"],
        event=stream.partition("id: ")[2].partition("\n")[0],
        page=page["continue"],
        spec=mine.json["spec"],
    )


def _likewise(name: str) -> str:
    """A name of the same length that nothing has, and that is part of no other one."""
    return f"{len(name) % 10}{'x' * (len(name) - 2)}{len(name) % 10}"


def _ask(server: PageServer, caller: User, request: Request) -> Answer:
    if request.path.startswith("/api/v1/events"):
        text = _first_event(server, caller.token, request.headers, request.path)
        return Answer(status=200, headers={"Content-Type": _STREAMS}, text=text)
    return server.ask(request.method, request.path, caller.token, request.body, request.headers)


def _first_event(server: PageServer, token: str, headers: Any, path: str = "/api/v1/events") -> str:
    """The first event of a stream, with its id."""
    with server.stream(token, path, headers) as stream:
        lines = []
        for raw in stream:
            lines.append(raw.decode())
            if raw.startswith(b"data: "):
                break
    return "".join(lines)


def _problem(request: Request, answer: Answer, owner: User) -> str:
    """What the attacker reached."""
    shown = [secret for secret in owner.secrets if secret in answer.text + str(answer.headers)]
    if shown:
        return f"the answer shows {shown}"
    if answer.status >= 500:
        return f"an error of the server: {answer.status} {answer.text[:300]}"
    if f"/namespaces/{owner.namespace}/" in request.path and answer.status < 400:
        return f"the server obeyed: {answer.status}"
    return ""


def _difference(answer: Answer, other: Answer, victim: Victim) -> str:
    """Whether an answer shows that the victim exists: what differs from the answer for what does not."""
    one, two = (_without_names(each.text, victim) for each in (answer, other))
    if (answer.status, one) == (other.status, two):
        return ""
    return f"what exists and what does not look different: {answer.status} {one[:300]}; {other.status} {two}"


def _without_names(text: str, victim: Victim) -> str:
    for name in (victim.namespace, victim.name):
        text = text.replace(_likewise(name), "…").replace(name, "…")
    return re.sub(r"id: \S+", "", _TIMES.sub("", text))


def _speeds(server: PageServer, attacker: User) -> Iterator[Outcome]:
    """Speeds and sums of a queue that both use: the attacker's hold only the attacker's own."""
    pause = {"spec": {"suspend": True}}
    kube.patch("modelsync", _RUNS, attacker.namespace, pause)
    kube.wait_for(_RUNS, attacker.namespace, kube.phase_is("Paused"), SECONDS, "Paused")

    def seen() -> bool:
        found = server.ask("GET", "api/v1/picture", attacker.token).json["rows"]
        return any(row["name"] == _RUNS and row["phase"] == "Paused" for row in found)

    kube.eventually(seen, SECONDS, "the attacker's own one is paused on the page, which is a second behind")
    queues = server.ask("GET", "api/v1/queues", attacker.token).json["items"]
    shared = next(each for each in queues if each["name"] == "page-shared")
    counts = {word: count for word, count in shared["counts"].items() if count}
    yield "counts of a queue that both use", "" if counts == {"total": 1, "paused": 1} else f"shows {counts}"
    whole = server.ask("GET", "api/v1/summary", attacker.token).json["whole"]
    yield "the speed of all", "" if not whole.get("speed") else f"shows {whole['speed']}"
    nodes = server.ask("GET", "api/v1/network", attacker.token).json["nodes"]
    yield "rates of the nodes", f"shows {nodes}" if any(each.get("down") for each in nodes) else ""
    kube.patch("modelsync", _RUNS, attacker.namespace, {"spec": {"suspend": False}})


def _down(server: PageServer, token: str, of: str) -> list[int]:
    series = server.ask("GET", f"api/v1/history?span=5m{of}", token).json
    return [each for each in series["down"] if each is not None]


def _kept(owner: User) -> Any:
    """What only its user may change of each ModelSync."""
    found = kube.get("modelsync", namespace=owner.namespace)
    return [
        (
            sync["metadata"]["uid"],
            sync["metadata"].get("annotations"),
            sync["spec"],
            sync["status"]["attempts"],
        )
        for sync in found
    ]


async def _by_page(server: PageServer, attacker: User, owner: User) -> list[Outcome]:
    """Everything that the document holds while the page is steered towards the owner's ModelSync."""
    remembered = {"open": f"{owner.namespace}/{_RUNS}", "search": owner.namespace, "groupBy": "namespace"}
    found = []
    async with asyncio.timeout(300), browsing.opened(server.address) as window:
        await window.log_in(attacker.token)
        await window.row(_RUNS).wait_for()
        for variant, address, choices in (
            ("as it opens", "", {}),
            ("with the other's namespace in its address", f"?namespace={owner.namespace}", {}),
            ("with the other's ModelSync in its address", f"#{owner.namespace}/{_RUNS}", {}),
            ("with the other's ModelSync open in what it remembers", "", remembered),
        ):
            await window.page.evaluate(
                "(text) => localStorage.setItem('modelsync.page', text)", json.dumps(choices)
            )
            await window.page.goto("about:blank")
            await window.page.goto(server.address + address)
            await window.page.get_by_label("Search models").wait_for()
            text = await window.page.content()
            shown = [secret for secret in owner.secrets if secret in text]
            found.append((variant, f"the page shows {shown}" if shown else ""))
    return found


ATTACKS = (
    Attack(
        topic="page",
        name="another user's ModelSyncs by every route and parameter of the API",
        how=Ground.CLUSTER,
        run=other_users_api,
    ),
    Attack(
        topic="page",
        name="another user's ModelSyncs by the page's address and memory",
        how=Ground.CLUSTER,
        run=other_users_page,
        in_tests=False,
    ),
)
