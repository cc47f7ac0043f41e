"""Cards against transformers' own models, and against checkpoints that are really written."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load, load_file, save_file
from transformers import AutoConfig, AutoModelForImageTextToText

from serve.checkpoint.config import config
from serve.checkpoint.embedded import ensure
from serve.checkpoint.shapes import PUBLISHED, Shape
from serve.errors import ModelNotFound, PlanError
from serve.memory.card import PUBLISHED_IMAGE_PIXELS, PUBLISHED_VIDEO_PIXELS, ModelCard, published, read
from serve.memory.counts import part_of
from serve.values import PixelLimits

BILLIONS = {"2B": 2.128, "4B": 4.438, "8B": 8.767, "32B": 33.357, "30B-A3B": 31.071}
PROCESSORS = {
    "preprocessor_config.json": {"size": {"shortest_edge": 65_536, "longest_edge": 16_777_216}},
    "video_preprocessor_config.json": {"size": {"shortest_edge": 4_096, "longest_edge": 25_165_824}},
}


SMALLEST = PUBLISHED["2B"]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The embedded checkpoint, to be broken."""
    for file in ensure("instruct").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def written(folder: Path, shape: Shape, **changes: Any) -> Path:
    """A folder with configuration and no weights."""
    for name, content in {"config.json": config(shape) | changes, **PROCESSORS}.items():
        (folder / name).write_text(json.dumps(content))
    return folder


def change(file: Path, change: Any) -> None:
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def known(name: str) -> ModelCard:
    card = published(name)
    assert card
    return card


@pytest.mark.parametrize("size", PUBLISHED)
def test_every_part_counts_what_transformers_builds(size: str) -> None:
    shape = PUBLISHED[size]
    asked = config(shape)
    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(AutoConfig.for_model(**asked))
    built = Counter[str]()
    for name, tensor in model.named_parameters():  # a tied head is named once
        built[part_of(name)] += tensor.numel()
    card = known(f"Qwen/Qwen3-VL-{size}-Instruct")
    assert {part.name: part.parameters for part in card.parts if part.parameters} == built
    assert card.parameters == model.num_parameters()
    assert round(card.parameters / 1e9, 3) == BILLIONS[size]


@pytest.mark.parametrize(
    ("name", "plain_gib", "fp8_gib", "kv_kib"),
    [
        ("2B", 3.96, 2.65, 112),
        ("4B", 8.27, 4.88, 144),
        ("8B", 16.33, 9.86, 144),
        ("32B", 62.13, 33.07, 256),
        ("30B-A3B", 57.87, 30.03, 96),
    ],
)
def test_bytes_on_the_gpu(name: str, plain_gib: float, fp8_gib: float, kv_kib: int) -> None:
    plain, fp8 = known(f"Qwen/Qwen3-VL-{name}-Thinking"), known(f"Qwen/Qwen3-VL-{name}-Thinking-FP8")
    assert round(plain.weight_bytes() / 2**30, 2) == plain_gib
    assert round(plain.weight_bytes("fp8") / 2**30, 2) == fp8_gib
    assert fp8.weight_bytes() == fp8.weight_bytes("fp8") == plain.weight_bytes("fp8_per_block")
    assert plain.weight_bytes("fp8") == plain.weight_bytes("fp8_per_tensor") < plain.weight_bytes("fp8_per_block")
    assert [plain.kv_bytes_per_token(dtype) for dtype in ("auto", "half", "fp8")] == [kv_kib << 10, kv_kib << 10, kv_kib << 9]


def test_only_what_qwen_publishes_is_known_without_files() -> None:
    assert known("qwen3-vl-4b-instruct-fp8").name == "Qwen/Qwen3-VL-4B-Instruct-FP8"
    assert published("Qwen/Qwen3-VL-235B-A22B-Instruct") is None
    assert published("someone/Qwen3-VL-4B-Instruct") is None


@pytest.mark.parametrize("size", PUBLISHED)
def test_a_folder_without_weights_has_the_published_card(size: str, tmp_path: Path) -> None:
    expected = known(f"Qwen/Qwen3-VL-{size}-Instruct")
    card = read(written(tmp_path, PUBLISHED[size]), expected.name)
    assert card == replace(expected, source="files")


def test_a_written_checkpoint_is_what_its_shape_says(copy: Path) -> None:
    card = read(copy)
    tensors = load_file(copy / "model.safetensors")
    assert (card.name, card.dtype, card.quantization) == (copy.name, "bfloat16", None)
    assert config(card.shape).keys() == json.loads((copy / "config.json").read_text()).keys()
    assert card.parameters == sum(tensor.numel() for tensor in tensors.values())
    assert sum(part.stored_bytes for part in card.parts) == card.weight_bytes() == 2 * card.parameters
    small_ones_enlarged = replace(PUBLISHED_IMAGE_PIXELS, least=409_600)
    assert (card.image_pixels, card.video_pixels) == (small_ones_enlarged, PUBLISHED_VIDEO_PIXELS)


def test_a_checkpoint_in_shards_is_read_through_its_index(copy: Path) -> None:
    whole = read(copy)
    tensors = load_file(copy / "model.safetensors")
    (copy / "model.safetensors").unlink()
    shards = {"one.safetensors": dict(list(tensors.items())[::2]), "two.safetensors": dict(list(tensors.items())[1::2])}
    for file, content in shards.items():
        save_file(content, copy / file)
    index = {"weight_map": {name: file for file, content in shards.items() for name in content}}
    (copy / "model.safetensors.index.json").write_text(json.dumps(index))
    assert read(copy) == whole
    (copy / "two.safetensors").unlink()
    with pytest.raises(ModelNotFound, match=r"1 of 2 weight files are missing: two\.safetensors"):
        read(copy)


def test_a_quantized_checkpoint_takes_what_it_holds(copy: Path) -> None:
    plain = read(copy)
    tensors = load_file(copy / "model.safetensors")
    for name in [name for name in tensors if part_of(name) == "text_linear"]:
        tensors[name] = tensors[name].to(torch.float8_e4m3fn)
        tensors[name.replace(".weight", ".weight_scale")] = torch.ones(1)
    save_file(tensors, copy / "model.safetensors")
    scheme = {"num_bits": 8, "type": "float", "dynamic": False}
    own = {"quant_method": "compressed-tensors", "kv_cache_scheme": scheme}
    change(copy / "config.json", lambda content: content.update(quantization_config=own))
    card = read(copy)
    assert (card.quantization, card.kv_cache_dtype, card.parameters) == ("compressed-tensors", "fp8", plain.parameters)
    assert card.weight_bytes() == plain.weight_bytes("fp8")
    assert card.kv_bytes_per_token("auto") == card.kv_bytes_per_token("fp8") == plain.kv_bytes_per_token("auto") // 2
    with pytest.raises(PlanError, match="is quantized already"):
        card.weight_bytes("fp8")


def test_a_head_that_is_stored_although_it_is_tied_is_not_counted(copy: Path) -> None:
    whole = read(copy)
    tensors = load_file(copy / "model.safetensors")
    head = tensors["model.language_model.embed_tokens.weight"].clone()
    save_file(tensors | {"lm_head.weight": head}, copy / "model.safetensors")
    assert whole.shape.tied
    assert read(copy).parameters == whole.parameters


def test_limits_in_every_form_that_processors_are_written(tmp_path: Path) -> None:
    written(tmp_path, SMALLEST)
    (tmp_path / "video_preprocessor_config.json").unlink()
    assert read(tmp_path).video_pixels == PUBLISHED_IMAGE_PIXELS
    change(tmp_path / "preprocessor_config.json", lambda content: content.update(min_pixels=1_024, max_pixels=99_999))
    assert read(tmp_path).image_pixels == PixelLimits(1_024, 99_999)
    sizes = {key: {"size": {"shortest_edge": 2_048, "longest_edge": 77_777}} for key in ("image_processor", "video_processor")}
    (tmp_path / "processor_config.json").write_text(json.dumps(sizes))
    card = read(tmp_path)
    assert card.image_pixels == card.video_pixels == PixelLimits(2_048, 77_777)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model_type": "llama"}, "model_type = 'llama': Duet serves qwen3_vl"),
        ({"model_type": None}, "model_type is missing"),
        ({"text_config": 7}, "text_config = 7: expected an object"),
        ({"text_config": {}}, "text_config.num_hidden_layers is missing"),
        ({"vision_config": config(SMALLEST)["vision_config"] | {"patch_size": 14}}, "vision_config.patch_size = 14: .* has 16"),  # type: ignore[operator]
        ({"vision_config": config(SMALLEST)["vision_config"] | {"depth": -1}}, "vision_config.depth = -1: expected a positive"),  # type: ignore[operator]
        ({"quantization_config": {"quant_method": "awq"}}, "without its weight files nobody can tell what awq"),
    ],
)
def test_a_wrong_key_is_named(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match=said) as caught:
        read(written(tmp_path, SMALLEST, **changes))
    assert str(tmp_path) in caught.value.message


def test_what_is_no_whole_model_folder_is_named(copy: Path) -> None:
    weights = copy / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1_000])
    with pytest.raises(ModelNotFound, match=r"model\.safetensors is cut short"):
        read(copy)
    weights.write_bytes(b"version https://git-lfs.github.com/spec/v1")
    with pytest.raises(ModelNotFound, match=r"model\.safetensors is no safetensors file"):
        read(copy)
    tensors = load(content)
    table = tensors.pop("model.language_model.embed_tokens.weight").numel()
    save_file(tensors, weights)
    with pytest.raises(ModelNotFound, match=rf"the weights of embedding are 0 numbers; config\.json asks for {table:,}"):
        read(copy)
    (copy / "config.json").write_text("{")
    with pytest.raises(ModelNotFound, match=r"config\.json is not JSON"):
        read(copy)
    (copy / "config.json").unlink()
    with pytest.raises(ModelNotFound, match=r"config\.json cannot be read: No such file"):
        read(copy)


def test_types_that_duet_does_not_plan_with_are_refused() -> None:
    card = known("Qwen/Qwen3-VL-4B-Instruct")
    with pytest.raises(PlanError, match="kv_cache_dtype = 'fp8_e5m2'"):
        card.kv_bytes_per_token("fp8_e5m2")
    with pytest.raises(PlanError, match="quantization = 'awq'"):
        card.weight_bytes("awq")
