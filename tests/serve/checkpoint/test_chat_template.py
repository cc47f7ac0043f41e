"""The chat template, rendered by transformers as vLLM has it done, against what Qwen3-VL's own template writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transformers import AutoTokenizer

if TYPE_CHECKING:
    from pathlib import Path

WEATHER = {
    "type": "function",
    "function": {"name": "weather", "description": "Wetter in Köln", "parameters": {"type": "object"}},
}
CALLED = {"type": "function", "function": {"name": "weather", "arguments": {"city": "Köln"}}}
CALLED_AS_TEXT = {"type": "function", "function": {"name": "weather", "arguments": '{"city": "Bonn"}'}}

CONVERSATION: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Where?"}, {"type": "video"}]},
    {"role": "assistant", "content": "Köln.", "reasoning_content": "A dome."},
    {"role": "user", "content": [{"type": "image_url", "image_url": {}}, {"type": "text", "text": "And the weather?"}]},
    {"role": "assistant", "content": "Asking.", "reasoning_content": "I need a tool.", "tool_calls": [CALLED, CALLED_AS_TEXT]},
    {"role": "tool", "content": "rain"},
    {"role": "tool", "content": [{"type": "text", "text": "sun "}, {"type": "image"}]},
]

# THOUGHT and OPENING stand where the two kinds differ.
RENDERED = """<|im_start|>system
Be brief.

# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>
{"type": "function", "function": {"name": "weather", "description": "Wetter in Köln", "parameters": {"type": "object"}}}
</tools>

For each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:
<tool_call>
{"name": <function-name>, "arguments": <args-json-object>}
</tool_call><|im_end|>
<|im_start|>user
<|vision_start|><|image_pad|><|vision_end|>Where?<|vision_start|><|video_pad|><|vision_end|><|im_end|>
<|im_start|>assistant
Köln.<|im_end|>
<|im_start|>user
<|vision_start|><|image_pad|><|vision_end|>And the weather?<|im_end|>
<|im_start|>assistant
THOUGHTAsking.
<tool_call>
{"name": "weather", "arguments": {"city": "Köln"}}
</tool_call>
<tool_call>
{"name": "weather", "arguments": {"city": "Bonn"}}
</tool_call><|im_end|>
<|im_start|>user
<tool_response>
rain
</tool_response>
<tool_response>
sun <|vision_start|><|image_pad|><|vision_end|>
</tool_response><|im_end|>
<|im_start|>assistant
OPENING"""


def _render(folder: Path, messages: list[dict[str, Any]], **context: Any) -> str:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    rendered: str = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True, **context)
    return rendered


def test_instruct_leaves_every_thought_out(instruct: Path) -> None:
    rendered = _render(instruct, CONVERSATION, tools=[WEATHER])
    assert rendered == RENDERED.replace("THOUGHT", "").replace("OPENING", "")


def test_thinking_keeps_the_thought_under_way_and_opens_the_next(thinking: Path) -> None:
    rendered = _render(thinking, CONVERSATION, tools=[WEATHER])
    thought = "<think>\nI need a tool.\n</think>\n\n"
    assert rendered == RENDERED.replace("THOUGHT", thought).replace("OPENING", "<think>\n")


def test_thinking_finds_the_thought_in_an_answer_that_was_not_parsed(thinking: Path) -> None:
    said = {"role": "assistant", "content": "<think>\nIt rains.\n</think>\n\nRain."}
    asked = {"role": "user", "content": "Why?"}
    assert _render(thinking, [asked, said, asked]) == (
        "<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\nRain.<|im_end|>\n"
        "<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n<think>\n"
    )


def test_pictures_and_videos_are_numbered_on_request(instruct: Path) -> None:
    parts = [{"type": "image"}, {"type": "video"}, {"type": "image"}, {"type": "text", "text": "Compare."}]
    rendered = _render(instruct, [{"role": "user", "content": parts}], add_vision_id=True)
    picture, video = "<|vision_start|><|image_pad|><|vision_end|>", "<|vision_start|><|video_pad|><|vision_end|>"
    assert rendered == (
        f"<|im_start|>user\nPicture 1: {picture}Video 1: {video}Picture 2: {picture}Compare.<|im_end|>\n<|im_start|>assistant\n"
    )


def test_a_call_without_words_and_no_system_prompt(instruct: Path) -> None:
    called = {"role": "assistant", "content": None, "tool_calls": [CALLED]}
    assert _render(instruct, [{"role": "user", "content": "Go."}, called]) == (
        "<|im_start|>user\nGo.<|im_end|>\n<|im_start|>assistant\n"
        '<tool_call>\n{"name": "weather", "arguments": {"city": "Köln"}}\n</tool_call><|im_end|>\n<|im_start|>assistant\n'
    )
