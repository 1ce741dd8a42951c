"""The largest specs that the schema accepts, of every kind of source, and the largest settings."""

import functools
import ipaddress
import json
import uuid
from typing import Any

from modelsync.api import protocol
from modelsync.api.common import size_limits
from modelsync.api.modelsync import ModelSyncSpec
from modelsync.api.presets import Preset
from modelsync.core.jobs.job_manifest import JobSettings, Manifest, render_job
from tests.api.specs import affinities
from tests.builders import a_sync

Object = dict[str, Any]
_WIDE = "\U0001f9e0"
"""Four bytes, one character: lengths of a schema count characters."""
_CLAIM: Object = {"persistentVolumeClaim": {"claimName": "c" * 253, "subPath": _WIDE * 500}}


def files(url: int, path: int, *, filler: str, more: int = 0) -> Object:
    """An http source with as many bytes of URLs and paths as the rule allows, and `more`: files whose URL has
    `url` and whose path has `path` fillers, and the rest in the last one."""
    left = size_limits.MOST_FILES_TEXT + more
    found: list[Object] = []
    while left and len(found) < 500:
        number = f"{len(found):03}"
        head = f"https://example.org/{number}?"
        file: Object = {"url": head, "path": number, "sha256": "f" * 64, "size": 2**53}
        room = left - text(_http([file]))
        if room < 0:
            break
        if room < (url + path) * _cost(filler):
            file["url"] = head + "u" * min(room, 900)
        else:
            file |= {"url": head + filler * url, "path": number + filler * path}
        found.append(file)
        left -= text(_http([file]))
    found[-1]["path"] += "p" * left
    return _http(found)


def _http(files: list[Object]) -> Object:
    return {"http": {"files": files, "secretRef": {"name": "s" * 253}}}


@functools.cache
def _cost(text: str) -> int:
    return len(json.dumps(text, ensure_ascii=False).encode()) - 2


def text(source: Object) -> int:
    """What the rule counts of an http source."""
    return sum(_cost(file["url"]) + _cost(file["path"]) for file in source["http"]["files"])


def _patterns(filler: str) -> list[str]:
    each = size_limits.MOST_PATTERNS_TEXT // 64 // _cost(filler)
    return [filler * each] * 64


_WORDS: Object = {
    f"{'d' * 60}.{'e' * 60}.{'f' * 60}.{'g' * 57}.example.org/{'k' * 61}{n:02}": "v" * 63 for n in range(16)
}
_PODS: Object = {
    "labels": _WORDS,
    "annotations": _WORDS,
    "nodeSelector": {f"example.org/{'k' * 60}{n:02}": "v" * 63 for n in range(32)},
    "tolerations": [{"key": f"example.org/{'k' * 60}{n:02}", "value": "v" * 63} for n in range(32)],
    "imagePullSecrets": [{"name": f"{'s' * 250}{n}"} for n in range(8)],
    "priorityClassName": "p" * 253,
}


def _spec(source: Object, filler: str, **fields: Any) -> Object:
    return {
        "source": source,
        "target": _CLAIM,
        "allowPatterns": _patterns(filler),
        "ignorePatterns": _patterns(filler),
        "preset": "largest",
        "expectedDigest": "sha256:" + "f" * 64,
        "queue": "q" * 63,
        "podTemplate": _PODS,
        **fields,
    }


_HUB: Object = {
    "huggingFace": {
        "repository": "o" * 99 + "/" + "n" * 100,
        "revision": "r" * 200,
        "endpoint": "https://" + "h" * 60 + ".example/" + "e" * 423,
        "secretRef": {"name": "s" * 253, "key": "k" * 253},
    }
}
_S3: Object = {
    "s3": {
        "bucket": "t" * 63 + ":" + "B" * 191,
        "prefix": _WIDE * 900,
        "endpoint": "https://" + "h" * 60 + ".example/" + "e" * 423,
        "region": "r" * 63,
        "secretRef": {"name": "s" * 253},
    }
}


def _affinity(size: int) -> Object:
    """A valid affinity of about so many bytes."""
    values, expressions = 128, 16
    each = size // (values * expressions * 16) - 3
    wide = affinities.expression("example.org/pool", "NotIn", *("v" * each for _ in range(values)))
    terms = [{"matchExpressions": [wide] * expressions}] * 16
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}


LARGEST: dict[str, Object] = {
    "500 files": _spec(files(208, 27, filler="u"), "p"),
    "few files with long URLs": _spec(files(970, 450, filler="u"), "p"),
    "URLs and paths of wide characters": _spec(files(970, 450, filler=_WIDE), _WIDE),
    "URLs and paths of quotes, which JSON doubles": _spec(files(970, 450, filler='"'), '"'),
    "presigned URLs": _spec(files(520, 10, filler="X"), "p"),
    "a repository": _spec(_HUB, _WIDE),
    "a bucket": _spec(_S3, '"'),
    "an affinity of a megabyte": _spec(_HUB, "p", podTemplate={**_PODS, "affinity": _affinity(1 << 20)}),
}
TOO_LONG: dict[str, Object] = {
    "500 presigned URLs": {
        "http": {
            "files": [
                {"url": f"https://example.org/{n:03}?" + "X" * 520, "path": f"{n:03}"} for n in range(500)
            ]
        }
    },
    "one byte more": files(208, 27, filler="u", more=1),
    "one quote more": files(970, 450, filler='"', more=2),
    "one wide character more": files(970, 450, filler=_WIDE, more=4),
}


def settings() -> JobSettings:
    """An operator whose configuration is as long as it accepts."""
    preset = Preset(allow_patterns=("x" * 250,) * 64)
    blocks = tuple(ipaddress.ip_network(f"10.{n // 256}.{n % 256}.0/24") for n in range(280))
    assert len(preset.dump_json()) <= size_limits.MOST_PRESET
    assert len(",".join(map(str, blocks))) <= size_limits.MOST_BLOCKS_TEXT
    return JobSettings(
        image="registry.example/modelsync:1",
        presets={"largest": preset},
        addresses=protocol.Addresses(allowed=blocks, denied=blocks),
    )


def rendered(spec: dict[str, Any]) -> Manifest:
    """The Job of a spec as the operator makes it, with names as long as Kubernetes has them."""
    made = ModelSyncSpec.model_validate(spec)
    sync = a_sync("n" * 200).with_spec(**{name: getattr(made, name) for name in ModelSyncSpec.model_fields})
    return render_job(
        sync.in_namespace("n" * 63).with_record(uid=str(uuid.UUID(int=0))).build(),
        1_000_000,
        "k" * 32,
        settings(),
    )
