"""A Hub that answers so many requests in a window: the sync says until when it waits, and completes."""

import pytest

from dev import kube
from dev.origins.files import hub
from dev.origins.files.origin import Origin
from dev.origins.serving import quota
from tests.e2e.release import ORIGIN_HOST

FILES = {f"{number:02}.bin": b"x" * (number + 1) for number in range(12)}


@pytest.mark.early
def test_a_wait_that_the_hub_asks_for_is_shown_with_its_end_and_costs_no_attempt(space: str) -> None:
    origin = Origin(FILES, host=ORIGIN_HOST)
    origin.quota = quota.Quota(requests=9, seconds=14.0)
    source = {"huggingFace": {"repository": hub.REPOSITORY, "endpoint": origin.url}}
    with origin, kube.Watch("modelsync", space, "limited") as watch:
        kube.apply(kube.sync("limited", space, source, progressDeadlineSeconds=10, backoffLimit=0))
        waits = watch.until(lambda sync: kube.ready_reason(sync) == "RateLimited", 60, "RateLimited")
        done = watch.until(kube.phase_is("Complete", "Failed"), 90, "Complete")
    assert done["status"]["phase"] == "Complete", done["status"]
    assert done["status"]["attempts"] == 1
    again = waits["status"]["progress"]["retrying"]
    message = next(c["message"] for c in waits["status"]["conditions"] if c["type"] == "Ready")
    assert f"wants none until {again['nextTime']}" in message and "HTTP 429" in message
    assert (waits["status"]["phase"], again["tries"]) == ("Downloading", 0)
    assert origin.quota.windows >= 2
