"""The sizes of the parts that an object was uploaded in: a checksum of checksums says nothing without them.

GetObjectAttributes reports a thousand parts at once, but needs a right of its own and is not in every server;
a HEAD of each part needs no more than reading does. Where neither reports them, the object is compared by
size.
"""

import itertools
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_log = logging.getLogger(__name__)

MOST_ASKED = 1000
"""Parts of one object that are asked for one by one; beyond, its checksum is not worth the requests."""


def sizes(
    client: "S3Client", which: dict[str, Any], version: str | None, size: int, count: int
) -> tuple[int, ...]:
    """Sizes of the `count` parts of a version of the object that `which` names (Bucket, Key), or of what
    is there now where versions may not be read; empty when S3 does not report them, or they do not make
    `size`."""
    from botocore.exceptions import ClientError

    versioned = [which | {"VersionId": version}] if version and version != "null" else []
    for named, ask in itertools.product((*versioned, which), (_attributes, _heads)):
        try:
            found = tuple(ask(client, named, count))
        except ClientError as error:
            _log.debug(
                "the parts of an object are not reported: %s", error.response.get("Error", {}).get("Code")
            )
            continue
        if len(found) == count and sum(found) == size:
            return found
    return ()


def _attributes(client: "S3Client", which: dict[str, Any], count: int) -> Iterator[int]:
    marker = 0
    while marker < count:
        answer: Any = client.get_object_attributes(
            **which, ObjectAttributes=["ObjectParts"], PartNumberMarker=marker
        )
        parts = answer.get("ObjectParts", {}).get("Parts", [])
        yield from (int(part["Size"]) for part in parts)
        if not parts or int(parts[-1]["PartNumber"]) <= marker:
            return
        marker = int(parts[-1]["PartNumber"])


def _heads(client: "S3Client", which: dict[str, Any], count: int) -> Iterator[int]:
    if count <= MOST_ASKED:
        for number in range(1, count + 1):
            yield int(client.head_object(**which, PartNumber=number)["ContentLength"])
