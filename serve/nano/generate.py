"""Greedy answers by transformers itself: processor, chat template and `generate`, as anyone would use a checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from transformers import AutoProcessor, Qwen3VLForConditionalGeneration

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from serve.nano.cases import Case

_END_OF_THOUGHT = "</think>"


class Generator:
    """A checkpoint folder, ready to answer."""

    def __init__(self, folder: Path) -> None:
        self._processor = AutoProcessor.from_pretrained(folder, padding_side="left")
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self._model = Qwen3VLForConditionalGeneration.from_pretrained(folder, dtype=torch.bfloat16).eval().to(device)

    def answers(self, cases: Sequence[Case], batch: int, longest: int) -> Iterator[list[str]]:
        """A list of answers for every `batch` of cases, in order, without the thoughts."""
        for start in range(0, len(cases), batch):
            yield [said.rpartition(_END_OF_THOUGHT)[2].strip("\n") for said in self.say(cases[start : start + batch], longest)]

    def say(self, cases: Sequence[Case], longest: int) -> list[str]:
        """All that is said after each prompt."""
        prompts = [self._processor.apply_chat_template(messages(case), add_generation_prompt=True) for case in cases]
        pictures = [case.picture for case in cases if case.picture is not None]
        inputs = self._processor(text=prompts, images=pictures or None, padding=True, return_tensors="pt").to(
            self._model.device
        )
        said = self._model.generate(**inputs, max_new_tokens=longest, do_sample=False, temperature=None, top_p=None, top_k=None)
        new = said[:, inputs["input_ids"].shape[1] :]
        texts: list[str] = self._processor.batch_decode(new, skip_special_tokens=True)
        return texts


def messages(case: Case) -> list[dict[str, object]]:
    """The conversation of one case: the picture first, then the ask."""
    picture = [] if case.picture is None else [{"type": "image", "image": case.picture}]
    return [{"role": "user", "content": [*picture, {"type": "text", "text": case.ask}]}]
