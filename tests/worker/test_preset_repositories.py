"""The built-in presets on repositories as their publishers list them: weights, or what is there instead.

The lists hold the files that decide, shortened, as such repositories are laid out; few were compared with
what the Hub lists today.
"""

from pathlib import Path

import pytest

from dev.origins.hub import HubServer, Repository
from modelsync.api import protocol
from modelsync.api.presets import BUILT_IN
from modelsync.api.reasons import Reason
from modelsync.api.source import sources
from modelsync.worker.attempt import planning
from modelsync.worker.common.failures import Failure
from modelsync.worker.common.model import Listing, RemoteFile
from tests.worker.test_pull import pull


def shards(name: str, count: int, suffix: str = "safetensors") -> str:
    return " ".join(f"{name}-{number:05}-of-{count:05}.{suffix}" for number in range(1, count + 1))


_TEXTS = "config.json tokenizer.json tokenizer_config.json README.md"
_SDXL = (
    "model_index.json scheduler/scheduler_config.json tokenizer/vocab.json unet/config.json vae/config.json"
)
REPOSITORIES = {
    "sentence-transformers/all-MiniLM-L6-v2": f"{_TEXTS} model.safetensors pytorch_model.bin tf_model.h5"
    " rust_model.ot onnx/model.onnx openvino/openvino_model.bin modules.json 1_Pooling/config.json vocab.txt",
    "meta-llama/Llama-3.1-8B-Instruct": f"{_TEXTS} {shards('model', 4)} model.safetensors.index.json"
    " original/consolidated.00.pth original/params.json original/tokenizer.model",
    "deepseek-ai/DeepSeek-R1": f"{_TEXTS} {shards('model', 3)} modeling_deepseek.py",
    "openai/gpt-oss-20b": f"{_TEXTS} {shards('model', 3)} original/model.safetensors original/dtypes.json"
    " metal/model.bin chat_template.jinja",
    "tiiuae/falcon-7b": f"{_TEXTS} {shards('model', 2)} {shards('pytorch_model', 2, 'bin')}",
    "google-bert/bert-base-uncased": f"{_TEXTS} model.safetensors pytorch_model.bin tf_model.h5 model.onnx"
    " flax_model.msgpack rust_model.ot coreml/fill-mask/float32_model.mlpackage/Data/weights/weight.bin",
    "openai/whisper-large-v3": f"{_TEXTS} model.safetensors {shards('model.fp32', 2)} pytorch_model.bin"
    f" model.safetensors.index.fp32.json {shards('pytorch_model.fp32', 2, 'bin')} flax_model.msgpack",
    "kyutai/moshiko-pytorch-bf16": "model.safetensors tokenizer-e351c8d8-checkpoint125.safetensors"
    " tokenizer_spm_32k_3.model README.md",
    "BAAI/bge-large-en-v1.5": f"{_TEXTS} model.safetensors pytorch_model.bin onnx/model.onnx",
    "BAAI/bge-m3": f"{_TEXTS} pytorch_model.bin colbert_linear.pt sparse_linear.pt sentencepiece.bpe.model"
    " onnx/model.onnx onnx/model.onnx_data",
    "EleutherAI/gpt-j-6b": f"{_TEXTS} pytorch_model.bin tf_model.h5 flax_model.msgpack merges.txt",
    "facebook/opt-1.3b": "config.json vocab.json merges.txt pytorch_model.bin tf_model.h5 flax_model.msgpack",
    "facebook/nllb-200-distilled-600M": f"{_TEXTS} pytorch_model.bin sentencepiece.bpe.model",
    "Salesforce/codegen-350M-mono": f"{_TEXTS} pytorch_model.bin merges.txt",
    "Xenova/all-MiniLM-L6-v2": f"{_TEXTS} onnx/model.onnx onnx/model_quantized.onnx",
    "microsoft/Phi-3-mini-4k-instruct-onnx": "config.json cpu_and_mobile/cpu-int4/genai_config.json"
    " cpu_and_mobile/cpu-int4/phi3-mini-4k.onnx cpu_and_mobile/cpu-int4/phi3-mini-4k.onnx.data",
    "mistralai/Mistral-7B-Instruct-v0.3": f"{_TEXTS} consolidated.safetensors params.json tokenizer.model.v3"
    f" {shards('model', 3)} model.safetensors.index.json",
    "mistralai/Mistral-Large-Instruct-2407": f"{_TEXTS} {shards('consolidated', 3)} params.json"
    f" consolidated.safetensors.index.json tokenizer.model.v3 {shards('model', 3)}",
    "mistralai/Pixtral-12B-2409": "README.md consolidated.safetensors params.json tekken.json",
    "mistralai/Pixtral-12B-Base-2409": "README.md consolidated.safetensors params.json tekken.json",
    "stabilityai/stable-diffusion-xl-base-1.0": f"{_SDXL} sd_xl_base_1.0.safetensors"
    " unet/diffusion_pytorch_model.safetensors unet/diffusion_pytorch_model.fp16.safetensors unet/model.onnx"
    " vae/diffusion_pytorch_model.safetensors vae_decoder/config.json vae_decoder/model.onnx"
    " vae_decoder/openvino_model.bin text_encoder/config.json text_encoder/model.safetensors"
    " text_encoder/model.fp16.safetensors text_encoder/flax_model.msgpack",
    "stabilityai/stable-diffusion-3.5-large": "model_index.json text_encoder_3/config.json"
    f" {shards('text_encoder_3/model', 2)} {shards('text_encoder_3/model.fp16', 2)}"
    " text_encoder_3/model.safetensors.index.fp16.json sd3.5_large.safetensors",
    "stable-diffusion-v1-5/stable-diffusion-v1-5": "model_index.json unet/config.json"
    " unet/diffusion_pytorch_model.bin unet/diffusion_pytorch_model.non_ema.safetensors"
    " unet/diffusion_pytorch_model.safetensors safety_checker/config.json safety_checker/model.safetensors"
    " safety_checker/pytorch_model.bin v1-5-pruned-emaonly.safetensors",
    "black-forest-labs/FLUX.1-dev": "model_index.json flux1-dev.safetensors ae.safetensors"
    f" transformer/config.json {shards('transformer/diffusion_pytorch_model', 3)}"
    " vae/config.json vae/diffusion_pytorch_model.safetensors tokenizer_2/spiece.model",
    "shellypeng/atomixl_realistic": f"{_SDXL} unet/diffusion_pytorch_model.fp16.safetensors"
    " vae/diffusion_pytorch_model.fp16.safetensors",
    "nota-ai/bk-sdm-tiny": "model_index.json unet/config.json unet/diffusion_pytorch_model.bin"
    " vae/config.json vae/diffusion_pytorch_model.safetensors",
    "TheBloke/Llama-2-7B-GGUF": "llama-2-7b.Q4_K_M.gguf llama-2-7b.Q4_K_S.gguf llama-2-7b.Q8_0.gguf",
    "TheBloke/Llama-2-70B-GGUF": "llama-2-70b.Q4_K_M.gguf llama-2-70b.Q6_K.gguf-split-a"
    " llama-2-70b.Q6_K.gguf-split-b",
    "mradermacher/Llama-3.3-70B-i1-GGUF": "Llama-3.3-70B.i1-Q4_K_M.gguf Llama-3.3-70B.i1-Q6_K.gguf.part1of2"
    " Llama-3.3-70B.i1-Q6_K.gguf.part2of2 Llama-3.3-70B.imatrix.dat",
    "bartowski/Llama-3.3-70B-Instruct-GGUF": "Llama-3.3-70B-Instruct-Q4_K_M.gguf"
    f" {shards('Llama-3.3-70B-Instruct-Q8_0/Llama-3.3-70B-Instruct-Q8_0', 2, 'gguf')}",
    "Qwen/Qwen2.5-7B-Instruct-GGUF": f"{shards('qwen2.5-7b-instruct-q4_k_m', 2, 'gguf')}"
    f" {shards('qwen2.5-7b-instruct-fp16', 4, 'gguf')} qwen2.5-7b-instruct-q2_k.gguf",
    "microsoft/Phi-3-mini-4k-instruct-gguf": "Phi-3-mini-4k-instruct-q4.gguf"
    " Phi-3-mini-4k-instruct-fp16.gguf",
    "unsloth/gemma-3-12b-it-GGUF": "gemma-3-12b-it-Q4_K_M.gguf gemma-3-12b-it-UD-Q4_K_XL.gguf"
    " mmproj-F16.gguf mmproj-BF16.gguf mmproj-F32.gguf",
    "ggml-org/gemma-3-4b-it-GGUF": "gemma-3-4b-it-Q4_K_M.gguf gemma-3-4b-it-f16.gguf mmproj-model-f16.gguf",
    "openbmb/MiniCPM-Llama3-V-2_5-gguf": "ggml-model-Q4_K_M.gguf ggml-model-F16.gguf mmproj-model-f16.gguf",
    "koboldcpp/mmproj": "llama-13b-mmproj-v1.5.Q4_1.gguf llama-7b-mmproj-v1.5-Q4_0.gguf README.md",
    "SmilingWolf/wd-vit-tagger-v3": "model.onnx model.safetensors selected_tags.csv config.json",
    "RedRocket/JointTaggerProject": "JTP_PILOT/JTP_PILOT-e4.safetensors JTP_PILOT2/JTP_PILOT2-e3.safetensors"
    " JTP_PILOT2/tags.json",
}  # fmt: skip
TAKEN = {
    "safetensors": {
        "sentence-transformers/all-MiniLM-L6-v2": "model.safetensors",
        "meta-llama/Llama-3.1-8B-Instruct": shards("model", 4),
        "deepseek-ai/DeepSeek-R1": shards("model", 3),
        "openai/gpt-oss-20b": shards("model", 3),
        "tiiuae/falcon-7b": shards("model", 2),
        "google-bert/bert-base-uncased": "model.safetensors",
        "openai/whisper-large-v3": "model.safetensors",
        "kyutai/moshiko-pytorch-bf16": "model.safetensors tokenizer-e351c8d8-checkpoint125.safetensors",
        "BAAI/bge-large-en-v1.5": "model.safetensors",
        "mistralai/Mistral-7B-Instruct-v0.3": shards("model", 3),
        "mistralai/Mistral-Large-Instruct-2407": shards("model", 3),
    },
    "mistral": {
        "mistralai/Mistral-7B-Instruct-v0.3": "consolidated.safetensors",
        "mistralai/Mistral-Large-Instruct-2407": shards("consolidated", 3),
        "mistralai/Pixtral-12B-2409": "consolidated.safetensors",
    },
    "onnx": {
        "Xenova/all-MiniLM-L6-v2": "onnx/model.onnx onnx/model_quantized.onnx",
        "microsoft/Phi-3-mini-4k-instruct-onnx": "cpu_and_mobile/cpu-int4/phi3-mini-4k.onnx"
        " cpu_and_mobile/cpu-int4/phi3-mini-4k.onnx.data",
        "BAAI/bge-m3": "onnx/model.onnx onnx/model.onnx_data",
    },
    "diffusers": {
        "stabilityai/stable-diffusion-xl-base-1.0": "text_encoder/model.safetensors"
        " unet/diffusion_pytorch_model.safetensors vae/diffusion_pytorch_model.safetensors",
        "stabilityai/stable-diffusion-3.5-large": shards("text_encoder_3/model", 2),
        "stable-diffusion-v1-5/stable-diffusion-v1-5": "safety_checker/model.safetensors"
        " unet/diffusion_pytorch_model.safetensors",
        "black-forest-labs/FLUX.1-dev": f"{shards('transformer/diffusion_pytorch_model', 3)}"
        " vae/diffusion_pytorch_model.safetensors",
    },
    "diffusers-fp16": {
        "shellypeng/atomixl_realistic": "unet/diffusion_pytorch_model.fp16.safetensors"
        " vae/diffusion_pytorch_model.fp16.safetensors",
        "stabilityai/stable-diffusion-3.5-large": shards("text_encoder_3/model.fp16", 2),
    },
    "gguf-q4-k-m": {
        "TheBloke/Llama-2-7B-GGUF": "llama-2-7b.Q4_K_M.gguf",
        "mradermacher/Llama-3.3-70B-i1-GGUF": "Llama-3.3-70B.i1-Q4_K_M.gguf",
        "bartowski/Llama-3.3-70B-Instruct-GGUF": "Llama-3.3-70B-Instruct-Q4_K_M.gguf",
        "Qwen/Qwen2.5-7B-Instruct-GGUF": shards("qwen2.5-7b-instruct-q4_k_m", 2, "gguf"),
        "unsloth/gemma-3-12b-it-GGUF": "gemma-3-12b-it-Q4_K_M.gguf",
    },
    "gguf-q8-0": {
        "bartowski/Llama-3.3-70B-Instruct-GGUF": shards(
            "Llama-3.3-70B-Instruct-Q8_0/Llama-3.3-70B-Instruct-Q8_0", 2, "gguf"
        ),
    },
    "gguf-f16": {
        "Qwen/Qwen2.5-7B-Instruct-GGUF": shards("qwen2.5-7b-instruct-fp16", 4, "gguf"),
        "microsoft/Phi-3-mini-4k-instruct-gguf": "Phi-3-mini-4k-instruct-fp16.gguf",
        "ggml-org/gemma-3-4b-it-GGUF": "gemma-3-4b-it-f16.gguf mmproj-model-f16.gguf",
        "openbmb/MiniCPM-Llama3-V-2_5-gguf": "ggml-model-F16.gguf mmproj-model-f16.gguf",
    },
    "wd-v3-tagger": {"SmilingWolf/wd-vit-tagger-v3": "model.onnx selected_tags.csv"},
    "jtp-pilot2": {"RedRocket/JointTaggerProject": "JTP_PILOT2/JTP_PILOT2-e3.safetensors"},
}
REFUSED = [
    ("safetensors", "BAAI/bge-m3", "pytorch_model.bin", "onnx"),
    ("safetensors", "EleutherAI/gpt-j-6b", "pytorch_model.bin", None),
    ("safetensors", "facebook/opt-1.3b", "pytorch_model.bin", None),
    ("safetensors", "facebook/nllb-200-distilled-600M", "pytorch_model.bin", None),
    ("safetensors", "Salesforce/codegen-350M-mono", "pytorch_model.bin", None),
    ("safetensors", "Xenova/all-MiniLM-L6-v2", "onnx/model.onnx", "onnx"),
    ("safetensors", "mistralai/Pixtral-12B-2409", "consolidated.safetensors", "mistral"),
    ("safetensors", "mistralai/Pixtral-12B-Base-2409", "consolidated.safetensors", "mistral"),
    ("safetensors", "ggml-org/gemma-3-4b-it-GGUF", "gemma-3-4b-it-Q4_K_M.gguf", "gguf-q4-k-m"),
    ("mistral", "deepseek-ai/DeepSeek-R1", "model-00001-of-00003.safetensors", "safetensors"),
    ("onnx", "meta-llama/Llama-3.1-8B-Instruct", "model-00001-of-00004.safetensors", "safetensors"),
    ("diffusers", "shellypeng/atomixl_realistic", "unet/diffusion_pytorch_model.fp16", "diffusers-fp16"),
    ("diffusers", "nota-ai/bk-sdm-tiny", "unet/diffusion_pytorch_model.bin", None),
    ("gguf-q6-k", "TheBloke/Llama-2-70B-GGUF", "llama-2-70b.Q6_K.gguf-split-a", "gguf-q4-k-m"),
    ("gguf-q6-k", "mradermacher/Llama-3.3-70B-i1-GGUF", "i1-Q6_K.gguf.part1of2", "gguf-q4-k-m"),
    ("gguf-q4-k-m", "microsoft/Phi-3-mini-4k-instruct-gguf", "Phi-3-mini-4k-instruct-q4.gguf", "gguf-f16"),
    ("gguf-f16", "unsloth/gemma-3-12b-it-GGUF", "gemma-3-12b-it-Q4_K_M.gguf", "gguf-q4-k-m"),
    ("gguf-bf16", "unsloth/gemma-3-12b-it-GGUF", "gemma-3-12b-it-Q4_K_M.gguf", "gguf-q4-k-m"),
    ("gguf-q4-0", "koboldcpp/mmproj", "llama-7b-mmproj-v1.5-Q4_0.gguf", None),
    ("wd-v3-tagger", "sentence-transformers/all-MiniLM-L6-v2", "model.safetensors", "safetensors"),
]  # fmt: skip


def chosen(preset: str, listed: str, *own: str) -> list[str]:
    """The paths that a sync with a preset and patterns of its own takes."""
    allow, ignore = BUILT_IN[preset].joined(own, ())
    request = protocol.WorkRequest(
        uid="u",
        namespace="n",
        name="x",
        attempt=1,
        source=sources.Source(hugging_face=sources.HuggingFaceSource(repository="org/x")),
        allow_patterns=allow,
        ignore_patterns=ignore,
        needs=BUILT_IN[preset].needs(preset, len(own)),
    )
    files = [RemoteFile(path=path, size=1, locator=path) for path in listed.split()]
    return [file.path for file in planning.make_plan(Listing(revision="r", files=files), request).files]


TEXTS = (".json", ".txt", ".jinja", ".model", ".model.v3")


@pytest.mark.parametrize(
    ("preset", "repository", "weights"),
    [(preset, *each) for preset, repositories in TAKEN.items() for each in repositories.items()],
)
def test_a_preset_takes_a_repositorys_weights_once(preset: str, repository: str, weights: str) -> None:
    taken = [path for path in chosen(preset, REPOSITORIES[repository]) if not path.endswith(TEXTS)]
    assert taken == sorted(weights.split())


@pytest.mark.parametrize(("preset", "repository", "instead", "fitting"), REFUSED)
def test_a_repository_without_what_a_preset_needs_is_refused_with_what_it_has(
    preset: str, repository: str, instead: str, fitting: str | None
) -> None:
    with pytest.raises(Failure) as caught:
        chosen(preset, REPOSITORIES[repository])
    assert caught.value.reason is Reason.NOTHING_MATCHED
    assert instead in caught.value.message
    assert f"spec.preset {preset} " in caught.value.message
    named = caught.value.message.rpartition("Use ")[2].partition(" as spec.preset")[0].split(" or ")
    assert fitting in named if fitting else "in place of the preset" in caught.value.message


def test_every_repository_of_the_table_is_looked_at() -> None:
    used = {name for repositories in TAKEN.values() for name in repositories} | {each[1] for each in REFUSED}
    assert used == REPOSITORIES.keys()
    assert len(used) >= 30


def test_weights_that_the_users_own_patterns_choose_count() -> None:
    listed = REPOSITORIES["EleutherAI/gpt-j-6b"]
    assert "pytorch_model.bin" in chosen("safetensors", listed, "*.bin")
    with pytest.raises(Failure):
        chosen("safetensors", listed, "*.md")


def test_no_match_at_all_names_what_is_there() -> None:
    with pytest.raises(
        Failure, match=r"has Phi-3-mini-4k-instruct-fp16.gguf, Phi-3-mini-4k-instruct-q4.gguf"
    ):
        chosen("gguf-q2-k", REPOSITORIES["microsoft/Phi-3-mini-4k-instruct-gguf"])


def test_a_pull_ends_with_the_reason_and_the_options_name(tmp_path: Path) -> None:
    files = {path: path.encode() for path in REPOSITORIES["EleutherAI/gpt-j-6b"].split()}
    with HubServer(Repository("org/gpt-j", files)) as hub:
        done = pull("hf://org/gpt-j", "--preset", "safetensors", "--to", tmp_path / "x", HF_ENDPOINT=hub.url)
    assert done.returncode == 15
    assert "--preset safetensors needs" in done.stderr and "pytorch_model.bin" in done.stderr
    assert "--allow" in done.stderr
