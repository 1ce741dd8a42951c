"""Speeds of the past on the cluster: they outlive the page's server, and no user reads another's."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from dev import kube, kube_api
from dev.origins.hub import HubServer
from modelsync.api import naming
from tests.e2e import release
from tests.e2e.page_server import user
from tests.e2e.sources import hub_source

pytestmark = pytest.mark.alone
WEB = f"{release.RELEASE}-web"


def ask(component: str, port: int, path: str, token: str) -> tuple[int, Any]:
    """Status and JSON of an answer of the component's Pod; (0, None) while it does not answer."""
    selector = f"app.kubernetes.io/component={component}"
    found = kube_api.items("pods", release.SYSTEM, labels=selector)
    pods = [pod for pod in found if not pod["metadata"].get("deletionTimestamp")]
    address = pods[0]["status"].get("podIP") if pods else None
    headers = {"Host": "localhost", "Authorization": f"Bearer {token}"}
    asked = urllib.request.Request(f"http://{address}:{port}{path}", headers=headers)
    try:
        with urllib.request.urlopen(asked, timeout=20) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, None
    except OSError:
        return 0, None


def history(token: str, **question: str) -> tuple[int, Any]:
    """Speeds of the last five minutes, as the page's server gives them to who has this token."""
    query = "&".join(f"{name}={value}" for name, value in {"span": "5m", **question}.items())
    return ask("web", 8080, f"/api/v1/history?{query}", token)


def known(series: Any) -> list[int]:
    return [figure for figure in series["down"] if figure]


@pytest.fixture
def others() -> Iterator[str]:
    with kube.namespace(kube.namespace_name("history-others")) as found:
        yield found


@pytest.mark.values(release.UNUSUAL)
def test_history_outlives_the_pages_server_is_cut_by_the_operators_restart_and_leaks_to_nobody(
    space: str, others: str, hub: HubServer
) -> None:
    ann, bob = user("ann", space, "view"), user("bob", others, "view")
    kube.apply(kube.sync("llama", space, hub_source(hub, "org/llama", size=600_000_000, rate=1_000_000)))
    about = {"namespace": space, "sync": f"{space}/llama"}

    def kept(after: str = "") -> Any:
        """The operator's record, once there is one that began later. All is said of this one answer: while
        an operator starts, the next may be the record of the page's own server."""
        answers: list[Any] = []

        def is_kept() -> bool:
            status, answer = history(ann, **about)
            if status == 200 and answer["keptBy"] == "Operator" and known(answer) and answer["since"] > after:
                answers.append(answer)
            return bool(answers)

        kube.eventually(is_kept, 120, "the operator keeps speeds")
        return answers[0]

    first = kept()

    # Nobody's but their own, by whatever is asked, also at the operator's own port.
    assert history(bob, **about)[0] == 403
    assert history(bob, namespace=space)[0] == 403
    assert history(bob, sync=f"{space}/llama")[0] == 404
    status, found = history(bob)
    assert status == 200 and not known(found)
    for token in (ann, bob, "none"):
        assert ask("operator", naming.HISTORY_PORT, "/history?namespace=*", token)[0] in (0, 401)

    # Another process serves the page, and the record is the same.
    kube.kubectl("rollout", "restart", f"deployment/{WEB}", "-n", release.SYSTEM)
    kube.kubectl("rollout", "status", f"deployment/{WEB}", "-n", release.SYSTEM, "--timeout=90s", timeout=95)
    again = kept()
    assert again["since"] == first["since"]
    assert len(known(again)) >= len(known(first))

    # Another operator has another record, and says since when.
    release.scale(0)
    release.scale(1)
    cut = kept(after=first["since"])
    assert (cut["cut"], cut["cutReason"]) == (cut["since"], "OperatorStarted")
