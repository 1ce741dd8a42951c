"""Whether the chosen files are what a preset is for, and what a source has instead.

Publishers lay the same kind of model out in many ways. Patterns that fit one choose only the configuration of
another, and a program then fails where nobody looks for the cause; so it is said here, with the names of what
is there.
"""

import re
from collections.abc import Iterable, Sequence

from modelsync.api.presets import BUILT_IN, Needs, Preset
from modelsync.api.protocol import WorkRequest
from modelsync.api.reasons import Reason
from modelsync.worker.attempt import patterns
from modelsync.worker.common import names
from modelsync.worker.common.failures import Failure
from modelsync.worker.common.model import RemoteFile

_WEIGHTS = re.compile(
    r"\.(?:safetensors|bin|pth?|ckpt|gguf|onnx|h5|msgpack|ot|npz|tflite|mlmodel|nemo|keras)(?:[.-][\w-]+)?$"
)
"""Suffixes of files with weights, also where they are cut into pieces."""
_SHARD = re.compile(r"\d+[-_]?of[-_]?\d+")
_PIPELINE = "model_index.json"
_SHOWN = 4
_LONGEST = 80


def check(request: WorkRequest, source: Sequence[RemoteFile], chosen: Iterable[str]) -> None:
    """Raise Failure with NothingMatched when what a preset needs is not among the chosen files.

    Weights that the user's own patterns choose are what the user wants, whatever the preset is for.
    """
    needs = request.needs
    if needs is None:
        return
    counting = [path for path in chosen if not _any(path, needs.companions)]
    own = request.allow_patterns[: needs.own]
    if any(_WEIGHTS.search(path) and _any(path, own) for path in counting):
        return
    for pattern in needs.required:
        if not any(patterns.matches(path, pattern) for path in counting):
            what = f"needs a file that matches {pattern}, and none is there for it"
            raise _missing(needs, what, source, source)
    with_weights = {_folder(path) for path in counting if _any(path, needs.required)}
    for folder in sorted({_folder(path) for path in counting} - with_weights if needs.weights else ()):
        here = [file for file in source if _folder(file.path) == folder and _any(file.path, needs.weights)]
        if here:
            what = f"takes no weights of {names.printable(folder, _LONGEST)}/"
            raise _missing(needs, what, here, source)


def instead(source: Iterable[RemoteFile]) -> str:
    """A sentence that names what a source has: its weights, else its largest files; "" when there is none."""
    files = sorted(source, key=lambda file: (-(file.size or 0), file.path))
    shown: dict[str, str] = {}
    weights = [file for file in files if _WEIGHTS.search(file.path)] or files
    for file in weights:
        shown.setdefault(_SHARD.sub("#", file.path), file.path)
    listed = [names.printable(path, _LONGEST) for path in list(shown.values())[:_SHOWN]]
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return f" The source has {', '.join(listed)}{more}." if listed else ""


def _missing(needs: Needs, what: str, here: Iterable[RemoteFile], source: Sequence[RemoteFile]) -> Failure:
    fitting = [name for name, preset in BUILT_IN.items() if name != needs.preset and _fits(preset, source)]
    fix = "Choose files with spec.allowPatterns in place of the preset"
    if fitting:
        fix = f"Use {' or '.join(fitting[:3])} as spec.preset, or choose files with spec.allowPatterns alone"
    text = f"spec.preset {needs.preset} {what}.{instead(here)} {fix}."
    return Failure(Reason.NOTHING_MATCHED, text)


def _fits(preset: Preset, source: Sequence[RemoteFile]) -> bool:
    """Whether a preset's weights are there. Of a pipeline, single components are no model."""
    if any(file.path == _PIPELINE for file in source) and _PIPELINE not in preset.allow_patterns:
        return False
    left_out = (*preset.ignore_patterns, *preset.companion_patterns)
    counting = [
        file.path
        for file in source
        if _any(file.path, preset.allow_patterns) and not _any(file.path, left_out)
    ]
    needed = preset.required_patterns
    return bool(needed) and all(any(patterns.matches(path, each) for path in counting) for each in needed)


def _any(path: str, listed: Iterable[str]) -> bool:
    return any(patterns.matches(path, pattern) for pattern in listed)


def _folder(path: str) -> str:
    return path.rpartition("/")[0]
