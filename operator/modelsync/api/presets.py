"""Presets: for each family of models, which of a repository's files are needed.

Repositories hold the same weights in several formats, and a program reads one of them; so a preset saves
most of the traffic. They are the operator's configuration and not the API's: new families come with new names
of files, and a site adds its own without a new version. The built-in ones follow the names that the families'
own tools write: transformers, diffusers and optimum for weights and tokenizers, llama.cpp for GGUF, and the
repositories of SmilingWolf (WD v3 taggers) and RedRocket (JTP PILOT²).
"""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from modelsync.api.base import Value

MOST = 64
"""Patterns of one list, as in a ModelSync."""
_Patterns = Annotated[
    tuple[Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^/]")], ...],
    Field(max_length=MOST),
]
_TEXTS = ("*.json", "*.txt", "*.model", "*.jinja", "*.tiktoken")
"""Configuration, tokenizers and chat templates."""


class Preset(Value):
    """A named pair of pattern lists."""

    allow_patterns: _Patterns = ()
    """Added to the ModelSync's own allowPatterns."""
    ignore_patterns: _Patterns = ()
    """Added to its own ignorePatterns; as those, they win."""

    def joined(
        self, allow: tuple[str, ...], ignore: tuple[str, ...]
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """A ModelSync's lists of patterns and what these add to them."""
        return _added(allow, self.allow_patterns), _added(ignore, self.ignore_patterns)


def _added(own: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    return (*own, *(pattern for pattern in more if pattern not in own))


def _gguf(quantisation: str) -> Preset:
    """One quantisation of llama.cpp; publishers write it in either case, and may split it into files."""
    name = "".join(f"[{each}{each.lower()}]" if each.isalpha() else each for each in quantisation)
    return Preset(allow_patterns=(f"*[-._/]{name}[-.]*gguf",))


BUILT_IN: Mapping[str, Preset] = {
    "safetensors": Preset(
        allow_patterns=("*.safetensors", *_TEXTS),
        ignore_patterns=("consolidated*", "original/*", "onnx/*", "openvino/*"),
    ),
    "onnx": Preset(
        allow_patterns=("*.onnx", "*.onnx_data*", "*.onnx.data", *_TEXTS),
        ignore_patterns=("openvino/*", "original/*"),
    ),
    "diffusers": Preset(
        allow_patterns=("model_index.json", "*/*.safetensors", "*/*.json", "*/*.txt", "*/*.model"),
        ignore_patterns=("*.fp16.safetensors", "*.non_ema.safetensors"),
    ),
    **{
        f"gguf-{name.lower().replace('_', '-')}": _gguf(name)
        for name in ("Q2_K", "Q3_K_M", "Q4_0", "Q4_K_S", "Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "F16", "BF16")
    },
    "wd-v3-tagger": Preset(allow_patterns=("model.onnx", "selected_tags.csv")),
    "jtp-pilot2": Preset(allow_patterns=("JTP_PILOT2/*",)),
}
"""What comes with modelsync; the operator's configuration adds to it and may replace one by its name."""


def unknown(name: str, known: Mapping[str, object] | tuple[str, ...]) -> str:
    """What to tell a user who names a preset that is not there."""
    return f"{name!r} is no preset; known are {', '.join(sorted(known))}"
