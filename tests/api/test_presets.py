"""Presets: what each built-in one takes of a repository as its family's publishers lay it out."""

import fnmatch

import pytest

from modelsync.api import presets

TRANSFORMERS = [
    "README.md", "config.json", "tokenizer.json", "merges.txt", "tokenizer.model", "chat_template.jinja",
    "model-00001-of-00002.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "tf_model.h5",
    "onnx/model.onnx", "onnx/model.onnx_data", "original/consolidated.00.pth", "consolidated.safetensors",
    "openvino/openvino_model.xml", "flax_model.msgpack",
]  # fmt: skip
GGUF = [
    "README.md", "llama-7b.Q4_K_M.gguf", "llama-7b.Q4_K_S.gguf", "llama-7b-q4_k_m.gguf", "llama-7b.Q8_0.gguf",
    "Q4_K_M/llama-70b-Q4_K_M-00001-of-00002.gguf", "llama-7b-F16.gguf", "llama-7b-BF16.gguf",
]  # fmt: skip
DIFFUSERS = [
    "model_index.json", "sd_xl_base_1.0.safetensors", "unet/diffusion_pytorch_model.safetensors",
    "unet/diffusion_pytorch_model.fp16.safetensors", "unet/config.json", "unet/model.onnx", "vae/x.bin",
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "repository", "taken"),
    [
        ("safetensors", TRANSFORMERS, [*TRANSFORMERS[1:8]]),
        ("onnx", TRANSFORMERS, [*TRANSFORMERS[1:6], "model.safetensors.index.json", *TRANSFORMERS[10:12]]),
        ("gguf-q4-k-m", GGUF, [GGUF[1], GGUF[3], GGUF[5]]),
        ("gguf-q8-0", GGUF, [GGUF[4]]),
        ("gguf-f16", GGUF, [GGUF[6]]),
        ("gguf-bf16", GGUF, [GGUF[7]]),
        ("diffusers", DIFFUSERS, [DIFFUSERS[0], DIFFUSERS[2], DIFFUSERS[4]]),
        (
            "wd-v3-tagger",
            ["model.onnx", "selected_tags.csv", "model.safetensors", "config.json", "sub/model.onnx"],
            ["model.onnx", "selected_tags.csv"],
        ),
        ("jtp-pilot2", ["JTP_PILOT2/a.safetensors", "JTP_PILOT2/tags.json", "JTP_PILOT/a"],
         ["JTP_PILOT2/a.safetensors", "JTP_PILOT2/tags.json"]),
    ],
)  # fmt: skip
def test_a_preset_takes_what_its_family_needs(name: str, repository: list[str], taken: list[str]) -> None:
    preset = presets.BUILT_IN[name]
    assert [path for path in repository if _wanted(path, preset)] == taken


def _wanted(path: str, preset: presets.Preset) -> bool:
    """The worker's rule (`worker.planning.wanted`), in the words of its documentation."""
    if any(fnmatch.fnmatchcase(path, pattern) for pattern in preset.ignore_patterns):
        return False
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in preset.allow_patterns)


def test_lists_add_up_and_name_each_pattern_once() -> None:
    preset = presets.Preset(allow_patterns=("a", "b"), ignore_patterns=("x",))
    assert preset.joined(("b", "c"), ("y",)) == (("b", "c", "a"), ("y", "x"))
    assert presets.Preset().joined((), ()) == ((), ())


def test_an_unknown_name_is_reported_with_the_known_ones() -> None:
    assert presets.unknown("x", {"b": 1, "a": 2}) == "'x' is no preset; known are a, b"
