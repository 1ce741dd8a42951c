"""ModelSyncs through the REST API: what a caller reads and writes, and how errors look."""

import pytest

from modelsync.api import naming
from tests.web import served
from tests.web.fake_cluster import ALL, FakeCluster, a_sync


def cluster_with(*syncs: dict[str, object]) -> FakeCluster:
    cluster = FakeCluster(users={"admin": {ALL}, "ann": {"a"}, "bob": {"b"}})
    cluster.put(*syncs)
    return cluster


ONE = "/api/v1/namespaces/a/modelsyncs/llama"


def test_a_list_comes_in_pages_with_the_callers_token() -> None:
    async def test() -> None:
        cluster = cluster_with(*(a_sync("a", f"m{number}") for number in range(5)))
        async with served.serving(cluster) as web:
            first = (await web.ask("GET", "/api/v1/modelsyncs?limit=3", "admin")).json
            rest = (
                await web.ask("GET", f"/api/v1/modelsyncs?limit=3&continue={first['continue']}", "admin")
            ).json
        names = [each["metadata"]["name"] for page in (first, rest) for each in page["items"]]
        assert names == [f"m{number}" for number in range(5)]
        assert first["remaining"] == 2 and "continue" not in rest
        assert {token for token, *_ in cluster.asked} == {"admin"}
        assert "managedFields" not in first["items"][0]["metadata"]

    served.run(test())


def test_one_is_read_created_and_deleted() -> None:
    async def test() -> None:
        cluster = cluster_with()
        async with served.serving(cluster) as web:
            body = {"metadata": {"name": "llama"}, "spec": {"priority": 3}}
            made = await web.ask("POST", "/api/v1/namespaces/a/modelsyncs", "ann", json=body)
            assert made.status == 201 and made.json["spec"]["priority"] == 3
            read = await web.ask("GET", ONE, "ann")
            assert read.headers["ETag"] == made.headers["ETag"]
            assert (await web.ask("DELETE", ONE, "ann")).status == 204
            gone = await web.ask("GET", ONE, "ann")
        assert gone.status == 404
        assert gone.headers["Content-Type"] == "application/problem+json"
        assert gone.json["reason"] == "NotFound" and gone.json["type"] == "urn:modelsync:problem:NotFound"

    served.run(test())


@pytest.mark.parametrize("name", ["Not A Name", "-a", "a..b", "a/b"])
def test_a_name_that_is_none_is_refused_at_its_field_in_words(name: str) -> None:
    async def test() -> None:
        async with served.serving(cluster_with()) as web:
            body = {"metadata": {"name": name}, "spec": {}}
            refused = await web.ask("POST", "/api/v1/namespaces/a/modelsyncs", "ann", json=body)
        (error,) = refused.json["errors"]
        assert (refused.status, error["field"]) == (422, "body.metadata.name")
        assert error["message"].startswith("must be lower-case letters, digits, '-' and '.'")

    served.run(test())


ACTS = [
    pytest.param("Downloading", {}, "pause", {"suspend": True}, id="pause"),
    pytest.param("Paused", {"suspend": True}, "resume", {"suspend": False}, id="resume"),
    pytest.param("Queued", {}, "cancel", {"cancel": True}, id="cancel"),
    pytest.param("Paused", {"suspend": True}, "start", {"suspend": False}, id="start of a registered one"),
    pytest.param("Cancelled", {"cancel": True}, "start", {"cancel": False}, id="start of a cancelled one"),
    pytest.param("Cancelled", {"cancel": True}, "retry", {"cancel": False}, id="retry of a cancelled one"),
]


@pytest.mark.parametrize(("phase", "before", "act", "after"), ACTS)
def test_an_act_changes_the_spec_once(
    phase: str, before: dict[str, object], act: str, after: dict[str, object]
) -> None:
    async def test() -> None:
        cluster = cluster_with(a_sync("a", "llama", phase, **before))
        async with served.serving(cluster) as web:
            first = await web.ask("POST", f"{ONE}/{act}", "ann")
            again = await web.ask("POST", f"{ONE}/{act}", "ann")
        assert (first.status, again.status) == (200, 200), first.text
        assert first.json["changed"] and not again.json["changed"]
        assert cluster.syncs["a", "llama"]["spec"].items() >= after.items()

    served.run(test())


def test_a_retry_is_asked_for_once_until_the_operator_acts_on_it() -> None:
    async def test() -> None:
        cluster = cluster_with(a_sync("a", "llama", "Failed"))
        async with served.serving(cluster) as web:
            first = await web.ask("POST", f"{ONE}/retry", "ann")
            value = first.json["sync"]["metadata"]["annotations"][naming.RETRY_ANNOTATION]
            assert not (await web.ask("POST", f"{ONE}/retry", "ann")).json["changed"]
            handled = cluster.syncs["a", "llama"]
            cluster.put({**handled, "status": {**handled["status"], "lastHandledRetry": value}})
            key = {"Idempotency-Key": value}
            assert not (await web.ask("POST", f"{ONE}/retry", "ann", headers=key)).json["changed"]
            assert (await web.ask("POST", f"{ONE}/retry", "ann")).json["changed"]

    served.run(test())


def test_priority_and_limit_are_set_and_lifted() -> None:
    async def test() -> None:
        cluster = cluster_with(a_sync("a", "llama", "Downloading"))
        async with served.serving(cluster) as web:
            await web.ask("PUT", f"{ONE}/priority", "ann", json={"priority": 7})
            limited = await web.ask("PUT", f"{ONE}/limit", "ann", json={"bandwidthLimit": "50M"})
            assert limited.json["sync"]["spec"]["bandwidthLimit"] == "50M"
            bad = await web.ask("PUT", f"{ONE}/limit", "ann", json={"bandwidthLimit": "fast"})
            assert bad.status == 409 and "limit" in bad.json["detail"]
            await web.ask("PUT", f"{ONE}/limit", "ann", json={"bandwidthLimit": None})
        spec = cluster.syncs["a", "llama"]["spec"]
        assert spec["priority"] == 7 and "bandwidthLimit" not in spec

    served.run(test())


def test_a_write_on_an_old_version_says_what_changed() -> None:
    async def test() -> None:
        cluster = cluster_with(a_sync("a", "llama", "Downloading"))
        async with served.serving(cluster) as web:
            old = (await web.ask("GET", ONE, "ann")).headers["ETag"]
            await web.ask("PUT", f"{ONE}/priority", "ann", json={"priority": 7})
            for method, path in (("POST", f"{ONE}/pause"), ("DELETE", ONE)):
                refused = await web.ask(method, path, "ann", headers={"If-Match": old})
                assert refused.status == 409
                assert refused.json["changed"] == ["spec.priority"]
        assert "suspend" not in cluster.syncs["a", "llama"]["spec"]

    served.run(test())


def test_retry_failed_leaves_the_cancelled_and_reports_each() -> None:
    async def test() -> None:
        cluster = cluster_with(
            a_sync("a", "one", "Failed"),
            a_sync("b", "two", "Failed"),
            a_sync("a", "off", "Cancelled", cancel=True),
        )
        async with served.serving(cluster) as web:
            done = (await web.ask("POST", "/api/v1/retry-failed", "admin", json={})).json
        assert {(each["name"], each["outcome"]) for each in done["results"]} == {
            ("one", "changed"),
            ("two", "changed"),
        }
        assert "annotations" not in cluster.syncs["a", "off"]["metadata"]

    served.run(test())


def test_retry_failed_of_a_caller_who_may_list_one_namespace_retries_those_there() -> None:
    async def test() -> None:
        cluster = cluster_with(a_sync("a", "one", "Failed"), a_sync("b", "two", "Failed"))
        async with served.serving(cluster) as web:
            done = await web.ask("POST", "/api/v1/retry-failed", "ann", json={})
            elsewhere = await web.ask("POST", "/api/v1/retry-failed", "ann", json={"namespace": "b"})
        assert [each["name"] for each in done.json["results"]] == ["one"]
        assert elsewhere.status == 403
        assert "annotations" not in cluster.syncs["b", "two"]["metadata"]

    served.run(test())


def test_clear_deletes_finished_ones_and_cancels_stuck_ones_that_are_named() -> None:
    async def test() -> None:
        cluster = cluster_with(
            a_sync("a", "done", "Complete"), a_sync("a", "stuck"), a_sync("a", "runs", "Downloading")
        )
        asked = {"namespace": "a", "names": ["done", "stuck"]}
        async with served.serving(cluster) as web:
            dry = (await web.ask("POST", "/api/v1/admin/clear", "ann", json={**asked, "dryRun": True})).json
            assert sorted(each["outcome"] for each in dry["results"]) == ["wouldCancel", "wouldDelete"]
            assert len(cluster.syncs) == 3
            await web.ask("POST", "/api/v1/admin/clear", "ann", json=asked)
        assert ("a", "done") not in cluster.syncs
        assert cluster.syncs["a", "stuck"]["spec"]["cancel"] is True
        assert "cancel" not in cluster.syncs["a", "runs"]["spec"]

    served.run(test())


def test_a_read_only_server_writes_nothing() -> None:
    async def test() -> None:
        cluster = cluster_with(a_sync("a", "llama", "Failed"))
        writes = [("POST", f"{ONE}/{act}") for act in ("start", "pause", "resume", "cancel", "retry")]
        writes += [
            ("DELETE", ONE),
            ("POST", "/api/v1/retry-failed"),
            ("PUT", f"{ONE}/priority"),
            ("PUT", f"{ONE}/limit"),
        ]
        writes += [("POST", "/api/v1/admin/clear"), ("POST", "/api/v1/namespaces/a/modelsyncs")]
        bodies = {
            "priority": {"priority": 1},
            "limit": {"bandwidthLimit": None},
            "clear": {"namespace": "a"},
            "retry-failed": {},
            "modelsyncs": {"metadata": {"name": "x"}, "spec": {}},
        }
        async with served.serving(cluster, read_only=True) as web:
            for method, path in writes:
                refused = await web.ask(method, path, "ann", json=bodies.get(path.rsplit("/", 1)[1]))
                assert (refused.status, refused.json["reason"]) == (403, "ReadOnly"), path
        assert {method for _, method, _ in cluster.asked} <= {"GET"}

    served.run(test())


def test_an_api_server_that_is_away_is_said() -> None:
    async def test() -> None:
        cluster = cluster_with()
        cluster.away = True
        async with served.serving(cluster) as web:
            answer = await web.ask("GET", ONE, "ann")
        assert (answer.status, answer.json["reason"]) == (502, "APIServerUnavailable")

    served.run(test())


def test_acts_on_all_reach_those_beyond_the_first_page_of_a_list() -> None:
    async def test() -> None:
        cluster = FakeCluster(users={"admin": {ALL}}, page=3)
        cluster.put(*(a_sync("a", f"failed-{one}", "Failed") for one in range(7)))
        async with served.serving(cluster) as web:
            for path, more in (("retry-failed", {}), ("admin/clear", {"phases": ["Failed"], "dryRun": True})):
                body = {"namespace": "a", **more}
                done = (await web.ask("POST", f"/api/v1/{path}", "admin", json=body)).json
                pages = [path for _, _, path in cluster.asked if "limit=" in path]
                assert len(pages) == 3 and not done.get("truncated"), path
                cluster.asked.clear()
        retried = [each for each in cluster.syncs.values() if "annotations" in each["metadata"]]
        assert len(retried) == 7

    served.run(test())
