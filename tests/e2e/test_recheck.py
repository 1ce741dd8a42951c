"""A Complete sync that is asked to look again: what somebody removed from the volume comes back."""

import time
from collections.abc import Callable

from dev import kube
from dev.origins.hub import HubServer
from tests.e2e import release
from tests.e2e.sources import hub_source

FILES = {"config.json": b"{}", "weights/a.bin": b"a" * 300_000, "weights/b.bin": b"b" * 500_000}
REMOVE = "import os; os.remove('/volume/llama/weights/a.bin'); os.truncate('/volume/llama/weights/b.bin', 9)"


def ask(space: str) -> None:
    """Set the annotation, as a user does."""
    when = f"modelsync.dev/retry-requested-at={time.time_ns()}"
    kube.kubectl("annotate", "modelsync", "llama", "-n", space, when, "--overwrite")


def after(attempt: int, *phases: str) -> Callable[[kube.Object], bool]:
    """In one of these phases, with at least so many attempts."""
    return lambda sync: kube.phase_is(*phases)(sync) and sync["status"].get("attempts", 0) >= attempt


def test_complete_sync_fetches_what_was_removed_when_it_is_asked(space: str, hub: HubServer) -> None:
    kube.apply(kube.sync("llama", space, hub_source(hub, "org/llama", files=FILES)))
    first = kube.wait_complete("llama", space)
    wanted = kube.hashes_on_claim(space, "models", release.IMAGE)
    kube.run_on_claim(space, "models", release.IMAGE, REMOVE)
    hub.log.clear()
    # A commit that came since is not taken: the check is of what was published.
    (repository,) = hub.state.repositories.values()
    repository.commit({**FILES, "config.json": b"{1}"})
    with kube.Watch("modelsync", space) as watch:
        ask(space)
        left = watch.until(lambda sync: not kube.phase_is("Complete")(sync), 30, "no longer Complete")
        again = watch.until(after(2, "Complete", "Failed"), 60, "checked")
    assert kube.ready_reason(left) != "Synced"
    assert "completionTime" not in left["status"]
    assert left["status"]["artifacts"][0]["verifiedAt"] == first["status"]["artifacts"][0]["verifiedAt"]
    assert (again["status"]["phase"], kube.ready_reason(again)) == ("Complete", "Synced")
    (artifact,) = again["status"]["artifacts"]
    assert artifact["attempt"] == 2
    assert artifact["verifiedAt"] > first["status"]["artifacts"][0]["verifiedAt"]
    found = kube.hashes_on_claim(space, "models", release.IMAGE)
    records = {f"llama/.modelsync/{name}": "" for name in ("manifest.json", "accounts")}
    assert {**found, **records} == {**wanted, **records}
    received = [one["status"]["progress"]["bytesNetwork"] for one in (first, again)]
    assert received == [800_002, 1_600_002], "of all attempts; config.json was not fetched again"
    events = " ".join(event["message"] for event in kube.get("events", namespace=space))
    assert "a check of the published files was asked for" in events


def test_check_that_fails_says_so_and_keeps_what_was_known(space: str, hub: HubServer) -> None:
    kube.apply(kube.sync("llama", space, hub_source(hub, "org/llama", files=FILES)))
    first = kube.wait_complete("llama", space)
    hub.state.repositories.clear()
    kube.run_on_claim(space, "models", release.IMAGE, REMOVE)  # what is whole on the volume needs no Hub
    ask(space)
    failed = kube.wait_for("llama", space, after(2, "Failed"), 60, "Failed")
    ready = next(one for one in failed["status"]["conditions"] if one["type"] == "Ready")
    assert ready["status"] == "False"
    assert failed["status"]["artifacts"] == first["status"]["artifacts"]
    assert kube.ready_reason(failed) in ("NotFound", "RevisionNotFound")
