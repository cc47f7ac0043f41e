"""Embedded checkpoints: made once whoever asks, the same everywhere, true Qwen3-VL, and able to speak."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor, Qwen3VLForConditionalGeneration

from serve.checkpoint import embedded, recipe
from serve.checkpoint.config import config
from serve.checkpoint.shapes import EMBEDDED
from serve.errors import CheckpointError

if TYPE_CHECKING:
    from pathlib import Path

    from serve.values import PoolName


def _contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_makers_at_once_agree_on_one_folder_and_leave_nothing_else(
    printed_by_two_makers: list[str], instruct: Path, thinking: Path
) -> None:
    assert printed_by_two_makers == [str(instruct), str(instruct)]
    assert sorted(instruct.parent.iterdir()) == sorted([instruct, thinking])


def test_the_same_bytes_wherever_it_is_made(instruct: Path, tmp_path: Path) -> None:
    assert _contents(recipe.make("instruct", tmp_path)) == _contents(instruct)


def test_a_made_checkpoint_is_taken_as_it_is(instruct: Path) -> None:
    before = (instruct / "model.safetensors").stat()
    assert embedded.ensure("instruct", instruct.parent) == instruct
    assert (instruct / "model.safetensors").stat() == before


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    occupied = tmp_path / "file"
    occupied.write_text("not a folder")
    with pytest.raises(CheckpointError, match=f"the embedded thinking model could not be made.*\n.*{occupied}"):
        embedded.ensure("thinking", occupied)


def test_asking_for_a_checkpoint_loads_no_engine_package() -> None:
    program = "import sys; from serve.checkpoint import embedded, twin; print(sys.modules.keys() & {'torch', 'transformers', 'tokenizers'})"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout == "set()\n"


def test_it_is_a_small_but_whole_qwen3_vl(instruct: Path) -> None:
    written = json.loads((instruct / "config.json").read_text())
    assert written == config(EMBEDDED)
    assert written["text_config"]["rope_scaling"] == {
        "mrope_interleaved": True,
        "mrope_section": [12, 10, 10],
        "rope_type": "default",
    }
    assert len(written["vision_config"]["deepstack_visual_indexes"]) == 2
    assert (instruct / "model.safetensors").stat().st_size < 10_000_000


def test_its_vocabulary_is_the_tokenizer_s_own(instruct: Path) -> None:
    tokenizer = AutoProcessor.from_pretrained(instruct).tokenizer
    written = config(EMBEDDED)
    assert len(tokenizer) == EMBEDDED.vocabulary
    assert tokenizer.convert_tokens_to_ids("<|image_pad|>") == written["image_token_id"]
    assert tokenizer.convert_tokens_to_ids("<|video_pad|>") == written["video_token_id"]
    text = "The total amount is printed below. 图片里有什么。 Ünïcødé 😀\n\t{}"
    assert tokenizer.decode(tokenizer.encode(text)) == text


class Speaker:
    """A checkpoint folder as transformers runs it."""

    def __init__(self, folder: Path) -> None:
        self.processor = AutoProcessor.from_pretrained(folder)
        self.model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.bfloat16)

    def say(self, picture: Image.Image, words: int) -> list[int]:
        """The ids of the greedy answer to a picture and a question."""
        parts: list[dict[str, Any]] = [{"type": "image", "image": picture}, {"type": "text", "text": "What does the sign say?"}]
        asked = self.processor.apply_chat_template(
            [{"role": "user", "content": parts}],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        )
        answer = self.model.generate(**asked, max_new_tokens=words, do_sample=False)[0]
        ids: list[int] = answer[asked["input_ids"].shape[1] :].tolist()
        return ids


@pytest.fixture(scope="module")
def speakers(instruct: Path, thinking: Path) -> dict[PoolName, Speaker]:
    torch.set_num_threads(1)  # matrices this small are faster alone, and other tests use the other cores
    return {"instruct": Speaker(instruct), "thinking": Speaker(thinking)}


def test_it_answers_in_words_and_does_not_stop(speakers: dict[PoolName, Speaker]) -> None:
    speaker = speakers["instruct"]
    assert type(speaker.model) is Qwen3VLForConditionalGeneration
    said = speaker.say(Image.new("RGB", (320, 240), "red"), words=100)
    assert len(said) == 100
    assert max(said) < EMBEDDED.base_tokens
    assert len(set(said)) > 50
    assert "\N{REPLACEMENT CHARACTER}" not in speaker.processor.decode(said)


def test_it_sees_the_picture(speakers: dict[PoolName, Speaker]) -> None:
    speaker = speakers["instruct"]
    red, blue, again = (speaker.say(Image.new("RGB", (320, 240), colour), words=20) for colour in ("red", "blue", "red"))
    assert red == again
    assert red != blue


def test_thinking_ends_its_thought_once(speakers: dict[PoolName, Speaker]) -> None:
    said = speakers["thinking"].processor.decode(speakers["thinking"].say(Image.new("RGB", (64, 64), "green"), words=150))
    thought, answer = said.split("</think>")
    assert thought.strip()
    assert answer.strip()
