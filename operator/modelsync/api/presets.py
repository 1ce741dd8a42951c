"""Presets: for each family of models, which of a repository's files are needed.

Repositories hold the same weights in several formats, and a program reads one of them; so a preset saves
most of the traffic. They are the operator's configuration and not the API's: new families come with new names
of files, and a site adds its own without a new version. The built-in ones follow the names that the families'
own tools write: transformers, diffusers and optimum for weights and tokenizers, llama.cpp for GGUF, and the
repositories of Mistral AI, SmilingWolf (WD v3 taggers) and RedRocket (JTP PILOT²).
"""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from modelsync.api.common.base import Value

MOST = 64
"""Patterns of one list, as in a ModelSync."""
_Patterns = Annotated[
    tuple[Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^/]")], ...],
    Field(max_length=MOST),
]
_TEXTS = ("*.json", "*.txt", "*.model", "*.jinja", "*.tiktoken")
"""Configuration, tokenizers and chat templates."""


class Needs(Value):
    """What must be among the files that a preset chooses, so that no repository of another layout is synced
    without its weights."""

    preset: str
    """The preset's name, for messages."""
    own: Annotated[int, Field(ge=0)] = 0
    """How many of the request's allow patterns, the first ones, are the ModelSync's own."""
    required: _Patterns = ()
    """A chosen file must match each."""
    companions: _Patterns = ()
    """Files that go with a model and are none (a vision projector): they do not count."""
    weights: _Patterns = ()
    """Folders with such files have weights: where anything of one is chosen, weights must be."""


class Preset(Value):
    """A named pair of pattern lists, and what must be among the files that they choose."""

    allow_patterns: _Patterns = ()
    """Added to the ModelSync's own allowPatterns."""
    ignore_patterns: _Patterns = ()
    """Added to its own ignorePatterns; as those, they win."""
    required_patterns: _Patterns = ()
    companion_patterns: _Patterns = ()
    weight_patterns: _Patterns = ()

    def needs(self, name: str | None, own: int) -> Needs | None:
        """What a worker has to find, beside so many allow patterns of the ModelSync's own; None for a preset
        without demands."""
        if name is None or not (self.required_patterns or self.weight_patterns):
            return None
        return Needs(
            preset=name,
            own=own,
            required=self.required_patterns,
            companions=self.companion_patterns,
            weights=self.weight_patterns,
        )

    def joined(
        self, allow: tuple[str, ...], ignore: tuple[str, ...]
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """A ModelSync's lists of patterns and what these add to them."""
        return _added(allow, self.allow_patterns), _added(ignore, self.ignore_patterns)


def _added(own: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    return (*own, *(pattern for pattern in more if pattern not in own))


def _gguf(*quantisations: str) -> Preset:
    """One quantisation of llama.cpp, by its names; publishers write them in either case, and may split it
    into files."""
    names = ("".join(map(_in_either_case, each)) for each in quantisations)
    allow = tuple(f"*[-._/]{name}[-.]*gguf" for name in names)
    required = allow[0] if len(allow) == 1 else "*gguf"
    return Preset(allow_patterns=allow, required_patterns=(required,), companion_patterns=("*mmproj*",))


def _in_either_case(letter: str) -> str:
    return f"[{letter}{letter.lower()}]" if letter.isalpha() else letter


_VARIANTS = ("*.fp16[-.]*", "*.fp32[-.]*", "*.non_ema[-.]*")
"""Weights of another precision beside the usual ones, and their indices."""
_DIFFUSERS_TEXTS = ("model_index.json", "*/*.json", "*/*.txt", "*/*.model")
_DIFFUSERS_WEIGHTS = ("*/*.safetensors", "*/pytorch_model*.bin", "*/diffusion_pytorch_model*.bin")


BUILT_IN: Mapping[str, Preset] = {
    "safetensors": Preset(
        allow_patterns=("*.safetensors", *_TEXTS),
        ignore_patterns=("consolidated*", "original/*", "onnx/*", "openvino/*", *_VARIANTS),
        required_patterns=("*.safetensors",),
    ),
    "mistral": Preset(
        allow_patterns=("consolidated*", "params.json", "tekken.json", "tokenizer*", "config.json"),
        required_patterns=("consolidated*.safetensors", "params.json"),
    ),
    "onnx": Preset(
        allow_patterns=("*.onnx", "*.onnx_data*", "*.onnx.data", *_TEXTS),
        ignore_patterns=("openvino/*", "original/*"),
        required_patterns=("*.onnx",),
    ),
    "diffusers": Preset(
        allow_patterns=("*/*.safetensors", *_DIFFUSERS_TEXTS),
        ignore_patterns=_VARIANTS,
        required_patterns=("model_index.json", "*/*.safetensors"),
        weight_patterns=_DIFFUSERS_WEIGHTS,
    ),
    "diffusers-fp16": Preset(
        allow_patterns=("*/*.fp16[-.]*safetensors", *_DIFFUSERS_TEXTS),
        required_patterns=("model_index.json", "*/*.safetensors"),
        weight_patterns=_DIFFUSERS_WEIGHTS,
    ),
    **{
        f"gguf-{name.lower().replace('_', '-')}": _gguf(name)
        for name in ("Q2_K", "Q3_K_M", "Q4_0", "Q4_K_S", "Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "BF16")
    },
    "gguf-f16": _gguf("F16", "FP16"),
    "wd-v3-tagger": Preset(
        allow_patterns=("model.onnx", "selected_tags.csv"),
        required_patterns=("model.onnx", "selected_tags.csv"),
    ),
    "jtp-pilot2": Preset(allow_patterns=("JTP_PILOT2/*",), required_patterns=("JTP_PILOT2/*.safetensors",)),
}
"""What comes with modelsync; the operator's configuration adds to it and may replace one by its name."""


def unknown(name: str, known: Mapping[str, object] | tuple[str, ...]) -> str:
    """The message for a user who names a preset that is not there."""
    return f"{name!r} is no preset; known are {', '.join(sorted(known))}"
