"""Embedded checkpoints: part of the package, true Qwen3-VL, small, and able to read."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from PIL import Image, ImageDraw
from safetensors.torch import load_file
from transformers import AutoModelForImageTextToText, AutoProcessor, Qwen3VLForConditionalGeneration

from serve import cards
from serve.checkpoint import embedded
from serve.errors import CheckpointError
from serve.values import POOLS

if TYPE_CHECKING:
    from serve.values import PoolName

MOST_BYTES = 12_000_000
MOST_SECONDS = 3.0


@pytest.fixture
def copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Both checkpoints at another place, to be broken."""
    for pool in POOLS:
        shutil.copytree(embedded.ensure(pool), tmp_path / pool)
    monkeypatch.setattr(embedded, "_FOLDER", tmp_path)
    return tmp_path


def test_a_file_that_is_missing_is_named(copies: Path) -> None:
    for name in ("model.safetensors", "tokenizer.json", "chat_template.json"):
        (copies / "thinking" / name).rename(copies / name)
        with pytest.raises(
            CheckpointError, match=f"embedded thinking model .* {copies}/thinking/{name} is missing. Install Duet"
        ):
            embedded.ensure("thinking")
        (copies / name).rename(copies / "thinking" / name)
    assert embedded.ensure("instruct") == copies / "instruct"


def test_weights_that_are_cut_short_are_named(copies: Path) -> None:
    weights = copies / "instruct" / "model.safetensors"
    os.truncate(weights, weights.stat().st_size - 1_000)
    with pytest.raises(CheckpointError, match=f"embedded instruct model .* {weights} is cut short"):
        cards.find("instruct", "embedded")
    weights.write_bytes(b"version https://git-lfs.github.com/spec/v1")
    with pytest.raises(CheckpointError, match=f"{weights} is no safetensors file"):
        cards.find("instruct", "embedded")


def test_looking_for_a_checkpoint_loads_no_engine_package() -> None:
    program = "import sys; from serve.checkpoint import embedded, twin; print(sys.modules.keys() & {'torch', 'transformers', 'tokenizers'})"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout == "set()\n"


@pytest.mark.parametrize("pool", POOLS)
def test_it_is_a_small_but_whole_qwen3_vl(pool: PoolName) -> None:
    folder = embedded.ensure(pool)
    config = json.loads((folder / "config.json").read_text())
    assert config["architectures"] == ["Qwen3VLForConditionalGeneration"]
    assert config["text_config"]["rope_scaling"] == {
        "mrope_interleaved": True,
        "mrope_section": [12, 10, 10],
        "rope_type": "default",
    }
    assert config["vision_config"]["deepstack_visual_indexes"]
    assert (folder / "model.safetensors").stat().st_size < MOST_BYTES
    assert {tensor.dtype for tensor in load_file(folder / "model.safetensors").values()} == {torch.bfloat16}


@pytest.mark.parametrize("pool", POOLS)
def test_its_vocabulary_is_the_tokenizer_s_own(pool: PoolName) -> None:
    folder = embedded.ensure(pool)
    tokenizer = AutoProcessor.from_pretrained(folder).tokenizer
    config = json.loads((folder / "config.json").read_text())
    assert len(tokenizer) <= config["text_config"]["vocab_size"]
    assert tokenizer.convert_tokens_to_ids("<|image_pad|>") == config["image_token_id"]
    assert tokenizer.convert_tokens_to_ids("<|video_pad|>") == config["video_token_id"]
    text = "The total amount is printed below. 图片里有什么。 Ünïcødé 😀\n\t{}"
    assert tokenizer.decode(tokenizer.encode(text)) == text


class Reader:
    """A checkpoint folder as transformers runs it."""

    def __init__(self, folder: Path) -> None:
        self.processor = AutoProcessor.from_pretrained(folder)
        started = time.perf_counter()
        self.model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.bfloat16)
        self.load_s = time.perf_counter() - started

    def says(self, printed: str, ask: str) -> str:
        """The greedy answer about a picture with `printed` on it."""
        picture = Image.new("RGB", (448, 160), "white")
        ImageDraw.Draw(picture).text((40, 50), printed, fill="black", font_size=40)
        parts: list[dict[str, Any]] = [{"type": "image", "image": picture}, {"type": "text", "text": ask}]
        asked = self.processor.apply_chat_template(
            [{"role": "user", "content": parts}],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        )
        answer = self.model.generate(**asked, max_new_tokens=100, do_sample=False)[0]
        said: str = self.processor.decode(answer[asked["input_ids"].shape[1] :])
        return said


@pytest.fixture(scope="module")
def readers(instruct: Path, thinking: Path) -> dict[PoolName, Reader]:
    torch.set_num_threads(1)  # matrices this small are faster alone, and other tests use the other cores
    return {"instruct": Reader(instruct), "thinking": Reader(thinking)}


def test_weights_are_loaded_in_no_time(readers: dict[PoolName, Reader]) -> None:
    assert max(reader.load_s for reader in readers.values()) < MOST_SECONDS


@pytest.mark.parametrize("printed", ["Total 12.50", "Coffee 3.20"])
def test_instruct_reads_what_is_printed_and_ends(readers: dict[PoolName, Reader], printed: str) -> None:
    reader = readers["instruct"]
    assert type(reader.model) is Qwen3VLForConditionalGeneration
    assert reader.says(printed, "Read the text in this picture.") == f"{printed}<|im_end|>"


def test_thinking_ends_its_thought_and_then_reads(readers: dict[PoolName, Reader]) -> None:
    thought, answer = readers["thinking"].says("Total 12.50", "Read the text in this picture.").split("</think>")
    assert thought.strip()
    assert answer == "\n\nTotal 12.50<|im_end|>"
