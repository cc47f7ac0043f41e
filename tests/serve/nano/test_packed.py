"""Training runs the model on packed steps; what it learns there must be what transformers and vLLM run."""

from __future__ import annotations

import re
from itertools import chain
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoProcessor

from serve.nano.dialogue import Dialogue, dialogues
from serve.nano.packed import as_fp8, say, see
from serve.nano.packing import Budget, packs
from serve.nano.patches import cut
from serve.nano.reading import Reading, Spoken, read
from serve.nano.sample import Sample, Turn
from serve.nano.shape import SERVED_MIN_PIXELS
from tests.serve.nano import one_line

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import Qwen3VLForConditionalGeneration

    from serve.nano.feed import Source
    from serve.nano.packing import Array
    from serve.nano.tokenizer import Tokenizer

GROUPS = [[one_line.draw(0, "train")], [one_line.draw(1, "train"), one_line.draw(2, "train")]]

# Spelt where a server makes whole words of them.
WORDS = Sample(None, (), tuple(Turn(f"What {word}?", word) for word in ("does it say", "many characters", "How many")), "")

PICTURE = "<|vision_start|><|image_pad|><|vision_end|>"

EXCHANGES = {"instruct": 4, "thinking": 1}  # in one conversation


def test_packed_states_are_those_of_transformers(model: Qwen3VLForConditionalGeneration, source: Source, folder: Path) -> None:
    """Resizing, patch order, learnt and rotary positions, DeepStack, M-RoPE, the template and attention without leaks: all in one."""
    processor = AutoProcessor.from_pretrained(folder)
    asked = [_asked(group, folder, seed=7) for group in GROUPS]
    assert max(len(dialogue) for dialogue in chain(*asked)) == EXCHANGES[folder.name]
    readings = [_reading(group, talk, source) for group, talk in zip(GROUPS, asked, strict=True)]
    step = {name: torch.from_numpy(array) for name, array in next(packs(readings, Budget.of(8_192), source.alphabet)).items()}
    with torch.no_grad():
        states = say(model, see(model, step), step)
    begin = 0
    for group, talk in zip(GROUPS, asked, strict=True):
        for dialogue in talk:
            ids, expected = _by_transformers(model, processor, group, dialogue, source)
            end = begin + len(ids)
            assert step["ids"][begin:end].tolist() == ids
            # The two resize alike but for one level in a thousand.
            assert torch.allclose(states[begin:end], expected, atol=4e-3)
            begin = end


def _asked(group: list[Sample], folder: Path, seed: int) -> list[Dialogue]:
    return dialogues(group, folder.name, 4, Random(seed), most=EXCHANGES[folder.name])  # type: ignore[arg-type]


def _reading(group: list[Sample], talk: list[Dialogue], source: Source) -> Reading:
    """As it is served: resized as the checkpoint's own processor does."""
    pictures = [cut(sample.image, sample.glyphs, SERVED_MIN_PIXELS) for sample in group if sample.image]
    return read(pictures, talk, source.tokenizer)


def _by_transformers(
    model: Qwen3VLForConditionalGeneration, processor: Any, group: list[Sample], dialogue: Dialogue, source: Source
) -> tuple[list[int], torch.Tensor]:
    """The conversation's ids, as the processor makes those of all before the last answer, and the model's last states."""
    inputs = processor(text=[_text(dialogue)], images=[sample.image for sample in group], return_tensors="pt")
    last = dialogue[-1]
    target = torch.tensor([last.thought_ids(source.tokenizer) + last.answer_ids(source.tokenizer)])
    inputs["input_ids"] = torch.cat([inputs["input_ids"], target], 1)
    inputs["mm_token_type_ids"] = torch.cat([inputs["mm_token_type_ids"], torch.zeros_like(target)], 1)
    inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
    with torch.no_grad():
        states = model.model(**inputs).last_hidden_state[0]
    return inputs["input_ids"][0].tolist(), states


def test_glyphs_lie_in_the_patches_where_they_are_drawn() -> None:
    """A picture that is black in one glyph's box alone has its black in that glyph's patch, whatever the order of patches."""
    sample = one_line.draw(3, "train")
    assert sample.image
    for glyph in sample.glyphs:
        picture = Image.new("RGB", sample.image.size, "white")
        x, y = (int((low + high) / 2) for low, high in zip(glyph.box[:2], glyph.box[2:], strict=True))
        picture.putpixel((x, y), (0, 0, 0))
        whole = cut(picture, [glyph])
        ((patch, _, code),) = whole.glyphs.tolist()
        assert whole.values[patch].min() < 255
        assert code == ord(glyph.char)


def _text(dialogue: Dialogue) -> str:
    """All that is said before the last answer."""
    prompts = ["".join(piece.text or PICTURE for piece in exchange.prompt) for exchange in dialogue]
    answers = [f"{exchange.answer}<|im_end|>" for exchange in dialogue]
    return "".join(chain(*zip(prompts, [*answers[:-1], ""], strict=True)))


def test_the_template_and_the_packed_prompt_agree(folder: Path, tokenizer: Tokenizer) -> None:
    """With and without a system prompt, a picture behind the ask, and earlier turns, whether learnt or not."""
    processor = AutoProcessor.from_pretrained(folder)
    groups = [*GROUPS, [WORDS]]
    pictures = [[cut(sample.image, sample.glyphs) for sample in group if sample.image] for group in groups]
    for seed in range(60):
        asked = _asked(groups[seed % 3], folder, seed)
        for dialogue, spoken in zip(asked, read(pictures[seed % 3], asked, tokenizer).spoken, strict=True):
            text = processor.apply_chat_template(_messages(_text(dialogue)), add_generation_prompt=True)
            assert _text(dialogue) == text
            said = processor.tokenizer.decode(spoken.ids[: _last_answer(spoken)])
            assert re.sub(r"(<\|image_pad\|>)+", "<|image_pad|>", said) == text


def _last_answer(spoken: Spoken) -> int:
    """Where it begins, or the thought before it."""
    return int(spoken.answers[spoken.owners == len(spoken.kinds) - 1][0])


def _messages(text: str) -> list[dict[str, Any]]:
    said = re.findall(r"<\|im_start\|>(\w+)\n((?:(?!<\|im_).)*)<\|im_end\|>\n", text, re.DOTALL)
    return [{"role": role, "content": [_part(part) for part in _parts(content)]} for role, content in said]


def _parts(content: str) -> list[str]:
    return [part for part in re.split(f"({re.escape(PICTURE)})", content) if part]


def _part(part: str) -> dict[str, str]:
    return {"type": "image"} if part == PICTURE else {"type": "text", "text": part}


def test_a_step_has_one_shape_and_loses_nothing(source: Source) -> None:
    """What is learnt stands in the steps in its order, each token one place behind that from which it is told."""
    groups = [[one_line.draw(seed, "train")] for seed in range(40)]
    readings = [
        _reading(group, dialogues(group, "instruct", 2, Random(seed), most=2), source) for seed, group in enumerate(groups)
    ]
    steps = list(packs(readings, source.budget, source.alphabet))
    assert len(steps) > 1
    assert len({tuple((name, array.shape) for name, array in step.items()) for step in steps}) == 1
    packed = [_learnt(step["targets"], step["owners"], step["weights"] > 0) for step in steps]
    given = [_learnt(spoken.ids[spoken.answers], spoken.owners) for reading in readings for spoken in reading.spoken]
    assert list(chain(*packed)) == list(chain(*given))
    assert all((step["ids"][step["before_answers"] + 1] == step["targets"]).all() for step in steps)


def _learnt(ids: Array, owners: Array, real: Array | slice = slice(None)) -> list[list[int]]:
    """The tokens of each answer."""
    each = np.flatnonzero(np.diff(owners[real])) + 1
    return [answer.tolist() for answer in np.split(ids[real], each)]


@pytest.mark.skipif(not torch.cpu._is_avx512_supported(), reason="vLLM has no FP8 KV cache on this CPU")
def test_keys_and_values_are_learnt_as_the_engine_keeps_them() -> None:
    sizes = (torch.logspace(-12, 10, 32 * 200, base=2) * torch.tensor([1, -1]).repeat(32 * 100)).bfloat16()
    cache = torch.cat([_kept(sizes[first : first + 32]) for first in range(0, len(sizes), 32)])
    learnt = sizes.float().requires_grad_()
    kept = as_fp8(learnt)
    assert torch.equal(kept, cache)
    kept.sum().backward()
    assert learnt.grad is not None
    assert bool((learnt.grad == 1).all())


def _kept(sizes: torch.Tensor) -> torch.Tensor:
    """What vLLM's cache on a CPU holds of as many numbers as a block has tokens, each filling one token."""
    import vllm._C  # noqa: F401, PLC0415 registers the kernels

    cache = torch.zeros(1, 1, 64, 64, dtype=torch.uint8)
    keys, values = cache.chunk(2, dim=2)
    filled = sizes[:, None, None].expand(32, 1, 64).contiguous()
    torch.ops._C.cpu_attn_reshape_and_cache(filled, filled.clone(), keys, values, torch.arange(32), "vec", 1.0, 1.0, "fp8")
    return values[0, 0].view(torch.float8_e4m3fn).float()[:, 0]
