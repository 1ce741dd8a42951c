"""What a caller sees live: snapshots, differences, what a lost line costs, and whose watch it is."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from modelsync.web import streams
from tests.web import served
from tests.web.fake_cluster import ALL, FakeCluster, a_sync, strings


def two_teams() -> FakeCluster:
    cluster = FakeCluster(users={"admin": {ALL}, "ann": {"a"}, "bob": {"b"}})
    cluster.put(a_sync("a", "secret-of-a", "Downloading"), a_sync("b", "secret-of-b", "Failed"))
    return cluster


def test_a_stream_begins_with_a_snapshot_and_goes_on_with_differences() -> None:
    async def test() -> None:
        cluster = two_teams()
        async with served.serving(cluster) as web, web.events("admin") as events:
            assert events.answer.headers["Content-Type"].startswith("text/event-stream")
            first = await events.until("snapshot")
            assert set(first["rows"]) == {"a/secret-of-a", "b/secret-of-b"}
            cluster.put(a_sync("a", "secret-of-a", "Complete"))
            cluster.remove("b", "secret-of-b")
            change = await events.until("change")
            assert change["rows"]["a/secret-of-a"]["phase"] == "Complete"
            assert change["removed"] == ["b/secret-of-b"]
            assert (await events.next()) == ("alive", None)

    served.run(test())


def test_a_lost_stream_goes_on_by_its_last_event_and_an_unknown_one_with_a_snapshot() -> None:
    async def test() -> None:
        cluster = two_teams()
        async with served.serving(cluster) as web:
            async with web.events("admin") as events:
                await events.until("snapshot")
                cluster.put(a_sync("a", "more"))
                await events.until("change")
                seen = events.last_id
            cluster.put(a_sync("a", "even-more"))
            async with web.events("admin", **{"Last-Event-ID": seen}) as events:
                assert set((await events.until("change"))["rows"]) >= {"a/even-more"}
            async with web.events("admin", **{"Last-Event-ID": "0-1"}) as events:
                assert (await events.next())[0] == "snapshot"

    served.run(test())


def test_a_large_snapshot_is_given_in_pieces_so_that_none_is_held_for_each_slow_client() -> None:
    async def test() -> None:
        cluster = FakeCluster(users={"admin": {ALL}})
        cluster.put(*(a_sync("a", f"m{number}", "Failed") for number in range(400)))
        async with served.serving(cluster) as web, web.events("admin") as events:
            sizes, last = [0], b""
            async for part, ends in events.answer.content.iter_chunks():
                sizes[-1] += len(part)
                last = (last + part)[-2:]
                if ends:
                    sizes.append(0)
                if last == b"\n\n" and sum(sizes) > 100_000:
                    break
        assert sum(sizes) > 2 * 65_536 and max(sizes) <= 65_536, sizes

    served.run(test())


def test_clients_of_one_token_share_one_watch_and_no_other_has_it() -> None:
    async def test() -> None:
        cluster = two_teams()
        async with served.serving(cluster) as web:
            async with web.events("admin") as one, web.events("admin") as two, web.events("ann") as other:
                for each in (one, two, other):
                    await each.until("snapshot")
                while cluster.watches() < 2:
                    await asyncio.sleep(0.01)
                cluster.put(a_sync("a", "more"))
                for each in (one, two, other):
                    await each.until("change")
                assert cluster.watches() == 2

    served.run(test())


def test_the_network_of_workers_is_served_by_node_and_in_total() -> None:
    async def test() -> None:
        cluster, now = two_teams(), datetime.now(UTC).isoformat()
        for name, node, down in (("one", "n1", 5_000_000), ("two", "n1", 1_000_000), ("three", "n2", 7)):
            rates = {"receiveBytesPerSecond": down, "transmitBytesPerSecond": 100}
            sync = a_sync("a", name, "Downloading")
            sync["status"] |= {
                "progress": {"bytesPerSecond": 9, "observedTime": now, "network": rates},
                "worker": {"nodeName": node},
            }
            cluster.put(sync)
        async with served.serving(cluster) as web:
            found = (await web.ask("GET", "/api/v1/network", "ann")).json
        shown = [(node["name"], node["syncs"], node["network"]["text"]) for node in found["nodes"]]
        assert shown == [("n1", 2, "↓ 6.0MB/s  ↑ 200B/s"), ("n2", 1, "↓ 7B/s  ↑ 100B/s")]
        assert found["network"]["down"]["bytesPerSecond"] == 6_000_007

    served.run(test())


def test_nothing_of_another_namespace_is_shown_by_any_path() -> None:
    async def test() -> None:
        cluster, leaks, tried = two_teams(), [], 0
        cluster.pods.readers = {"ann"}
        cluster.pods.put(namespace="b", name="worker", sync="secret-of-b", log=b"uid-of-b is in this log")
        paths = ["modelsyncs", "summary", "picture", "queues", "network", "history"]
        paths += [f"{path}?namespace=b" for path in paths]
        paths += ["history?sync=b/secret-of-b", "modelsyncs?phase=Failed", "events?namespace=b"]
        one = "namespaces/b/modelsyncs/secret-of-b"
        reads = [*paths, one, f"{one}/row", f"{one}/events", f"{one}/logs"]
        writes: list[tuple[str, str, Any]] = [
            ("POST", f"{one}/{act}", None) for act in ("start", "pause", "resume", "cancel", "retry")
        ]
        writes += [("DELETE", one, None), ("PUT", f"{one}/priority", {"priority": 9})]
        writes += [("PUT", f"{one}/limit", {"bandwidthLimit": "1M"}), ("POST", "retry-failed", {})]
        writes += [("POST", "retry-failed", {"namespace": "b"}), ("POST", "admin/clear", {"namespace": "b"})]
        writes += [("POST", "namespaces/b/modelsyncs", {"metadata": {"name": "x"}, "spec": {}})]
        async with served.serving(cluster, namespaces=("a", "b")) as web:
            async with web.events("admin") as everything:  # what another caller's feed knows must not help
                await everything.until("snapshot")
                before = dict(cluster.syncs)
                for method, path, body in [*(("GET", path, None) for path in reads), *writes]:
                    if path.startswith("events"):
                        async with web.events("ann") as events:
                            text = str(await events.until("snapshot"))
                    else:
                        text = (await web.ask(method, f"/api/v1/{path}", "ann", json=body)).text
                    tried += 1
                    if "uid-of-b" in text or '"b/secret-of-b"' in text:
                        leaks.append(path)
                assert cluster.syncs == before
        assert leaks == [] and tried == 31

    served.run(test())


def test_what_a_caller_may_not_list_is_said() -> None:
    async def test() -> None:
        async with served.serving(two_teams(), namespaces=("a", "b")) as web:
            found = (await web.ask("GET", "/api/v1/summary", "ann")).json["connection"]
            assert found["namespaces"] == ["a", "b"]
            assert [each["namespace"] for each in found["refused"]] == ["b"]
            nothing = await web.ask("GET", "/api/v1/summary?namespace=b", "ann")
        assert (nothing.status, nothing.json["reason"]) == (403, "AccessDenied")
        assert "cannot list" in nothing.json["detail"]

    served.run(test())


def test_a_right_that_was_taken_away_takes_the_rows_with_it() -> None:
    async def test() -> None:
        cluster = two_teams()
        async with served.serving(cluster) as web, web.events("admin") as events:
            await events.until("snapshot")
            cluster.users["admin"] = set()
            cluster.end_watches()
            change = await events.until("change")
            assert change["removed"] == ["a/secret-of-a", "b/secret-of-b"]

    served.run(test())


def test_a_token_that_ended_ends_the_stream() -> None:
    async def test() -> None:
        cluster = two_teams()
        async with served.serving(cluster) as web, web.events("admin") as events:
            await events.until("snapshot")
            del cluster.users["admin"]
            cluster.end_watches()
            assert (await events.until("end"))["reason"] == "AuthenticationFailed"

    served.run(test())


def test_an_api_server_that_went_away_leaves_the_last_picture_and_comes_back() -> None:
    async def test() -> None:
        cluster = two_teams()
        async with served.serving(cluster) as web, web.events("admin") as events:
            await events.until("snapshot")
            cluster.away = True
            cluster.end_watches()
            away = await events.until("change")
            assert away["connection"]["state"] == "away" and not away["removed"]
            cluster.away = False
            cluster.put(a_sync("a", "new"))
            states = []
            while "live" not in states:
                states.append((await events.until("change")).get("connection", {}).get("state"))

    served.run(test())


def test_streams_are_bounded_for_a_caller_and_in_all() -> None:
    async def test() -> None:
        limits = replace(served.LIMITS, streams=3, streams_per_caller=2)
        async with served.serving(two_teams(), limits=limits) as web:
            async with web.events("admin") as one, web.events("admin") as two, web.events("ann") as three:
                for each in (one, two, three):
                    await each.until("snapshot")
                async with web.events("admin") as refused, web.events("bob") as also:
                    assert (refused.answer.status, also.answer.status) == (429, 429)
                assert "TooManyStreams" in set(strings((await web.ask("GET", "/api/v1/events", "bob")).json))

    served.run(test())


def test_many_rows_come_in_several_events_and_a_line_lost_between_them_goes_on_before_them() -> None:
    async def test() -> None:
        cluster, count = FakeCluster(users={"admin": {ALL}}), streams.MOST_ROWS * 2 + 1
        cluster.put(*(a_sync("a", f"sync-{number}", "Downloading") for number in range(count)))
        async with served.serving(cluster) as web:
            async with web.events("admin") as events:
                first = await events.until("snapshot")
                assert (len(first["rows"]), events.last_id) == (streams.MOST_ROWS, "")
                assert first["whole"]["counts"]["total"] == count
            async with web.events("admin") as events:
                found = dict((await events.until("snapshot"))["rows"])
                while len(found) < count:
                    assert events.last_id == ""
                    found |= (await events.until("change"))["rows"]
                assert events.last_id != ""

    served.run(test())
