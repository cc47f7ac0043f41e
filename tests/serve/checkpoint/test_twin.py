"""Twins against what is published: parameter counts, token ids, and the tokens that a picture takes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import torch
from PIL import Image
from transformers import AutoConfig, AutoModelForImageTextToText, AutoProcessor, AutoTokenizer

from serve.checkpoint import twin
from serve.checkpoint.config import config
from serve.checkpoint.shapes import PUBLISHED
from serve.errors import CheckpointError

if TYPE_CHECKING:
    from pathlib import Path

# Billions of parameters in all and millions in the vision tower.
PARAMETERS = {
    "2B": (2.128, 407),
    "4B": (4.438, 415),
    "8B": (8.767, 576),
    "32B": (33.357, 595),
    "30B-A3B": (31.071, 539),
}

# added_tokens_decoder of Qwen/Qwen3-VL-4B-Instruct
SPECIAL_IDS = {
    "<|endoftext|>": 151643,
    "<|im_start|>": 151644,
    "<|im_end|>": 151645,
    "<|vision_start|>": 151652,
    "<|vision_end|>": 151653,
    "<|image_pad|>": 151655,
    "<|video_pad|>": 151656,
    "<tool_call>": 151657,
    "</tool_call>": 151658,
    "<tool_response>": 151665,
    "</tool_response>": 151666,
    "<think>": 151667,
    "</think>": 151668,
}

# Width, height in pixels and tokens, without the two that enclose the picture.
IMAGE_TOKENS = [
    (28, 28, 64),
    (224, 224, 64),
    (256, 256, 64),
    (336, 336, 100),
    (512, 512, 256),
    (640, 480, 300),
    (1024, 768, 768),
    (1024, 1024, 1024),
    (1280, 720, 880),
    (1920, 1080, 2040),
    (2048, 2048, 4096),
    (2560, 1440, 3600),
    (3840, 2160, 8160),
    (4096, 4096, 16384),
    (8000, 6000, 16170),
]


@pytest.fixture(scope="module")
def processor(twin_4b: Path) -> Any:
    return AutoProcessor.from_pretrained(twin_4b)


@pytest.mark.parametrize("size", PUBLISHED)
def test_parameters_are_as_many_as_published(size: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config(PUBLISHED[size])))
    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(AutoConfig.from_pretrained(tmp_path))
    total = sum(parameter.numel() for parameter in model.parameters())
    tower = sum(parameter.numel() for parameter in model.model.visual.parameters())
    assert (round(total / 1e9, 3), round(tower / 1e6)) == PARAMETERS[size]


def test_special_tokens_have_their_published_ids(twin_4b: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(twin_4b)
    written = json.loads((twin_4b / "config.json").read_text())
    assert {token: tokenizer.convert_tokens_to_ids(token) for token in SPECIAL_IDS} == SPECIAL_IDS
    assert [tokenizer.encode(token) for token in SPECIAL_IDS] == [[index] for index in SPECIAL_IDS.values()]
    assert len(tokenizer) == 151669
    assert written["image_token_id"] == SPECIAL_IDS["<|image_pad|>"]
    assert written["text_config"]["eos_token_id"] == SPECIAL_IDS["<|im_end|>"]


def test_markup_is_part_of_an_answer_and_control_is_not(twin_4b: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(twin_4b)
    ids = tokenizer.encode("<think>why</think><tool_call>{}</tool_call><|im_end|><|endoftext|>")
    assert tokenizer.decode(ids, skip_special_tokens=True) == "<think>why</think><tool_call>{}</tool_call>"


@pytest.mark.parametrize(("width", "height", "tokens"), IMAGE_TOKENS)
def test_a_picture_takes_as_many_tokens_as_published(processor: Any, width: int, height: int, tokens: int) -> None:
    images = processor.image_processor
    assert images.get_number_of_image_patches(height, width, {}) // images.merge_size**2 == tokens


def test_the_processor_puts_those_tokens_into_the_prompt(processor: Any) -> None:
    parts = [{"type": "image", "image": Image.new("RGB", (640, 480))}, {"type": "text", "text": "Read."}]
    prompt = processor.apply_chat_template([{"role": "user", "content": parts}], tokenize=True, return_dict=True)
    (ids,) = prompt["input_ids"]
    assert ids.count(SPECIAL_IDS["<|image_pad|>"]) == 300


@pytest.mark.parametrize("name", ["Qwen3-VL-2B-Instruct", "Qwen/Qwen3-VL-30B-A3B-Thinking", "qwen/qwen3-vl-8b-thinking"])
def test_a_name_is_known_in_any_form(name: str, tmp_path: Path) -> None:
    twin.write(name, tmp_path)
    opens_thought = "thinking = true" in json.loads((tmp_path / "chat_template.json").read_text())["chat_template"]
    assert opens_thought == name.lower().endswith("thinking")


def test_an_unknown_name_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"'Qwen3-VL-3B'.*Qwen3-VL-4B-Thinking.*Qwen3-VL-30B-A3B-Instruct"):
        twin.write("Qwen3-VL-3B", tmp_path / "twin")
    assert not (tmp_path / "twin").exists()


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(CheckpointError, match=f"{tmp_path} is not empty"):
        twin.write("Qwen3-VL-4B-Instruct", tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["mine"]
