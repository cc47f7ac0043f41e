"""Request bytes → View: one typed pass with msgspec that reads what decisions need and skips the rest, pictures included.

Schemas: OpenAI's chat completions, completions and responses, Anthropic's messages. They are read leniently: what the router does not
need it does not judge, the engine does. https://platform.openai.com/docs/api-reference, https://docs.anthropic.com/en/api/messages
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, TypeVar

import msgspec
from msgspec import Struct

from router.errors import BadRequest
from router.pictures import outline
from router.values import EARLIER_TURNS, Endpoint, View

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Buffer = bytes | bytearray | memoryview
T = TypeVar("T")
NOTHING = msgspec.Raw(b"null")

EMPTY = (b"null", b'""', b"[]")
IMAGE_TYPES = frozenset({"image_url", "input_image", "image", "image_pil", "image_embeds"})


class _Part(Struct):
    type: str = "text"
    text: str | None = None


class _Message(Struct):
    role: str = "user"
    type: str = "message"
    content: str | list[_Part | str] | _Part | None = None
    reasoning: msgspec.Raw = NOTHING
    reasoning_content: msgspec.Raw = NOTHING


class _ResponseFormat(Struct):
    type: str = "text"


class _Chat(Struct):
    messages: list[_Message]
    model: str | None = None
    stream: bool | None = None
    reasoning_effort: str | None = None
    response_format: _ResponseFormat | None = None
    structured_outputs: msgspec.Raw = NOTHING


class _Completion(Struct):
    prompt: str | list[str | int | list[int]] | None = None
    model: str | None = None
    stream: bool | None = None
    response_format: _ResponseFormat | None = None
    structured_outputs: msgspec.Raw = NOTHING


class _Reasoning(Struct):
    effort: str | None = None


class _TextOptions(Struct):
    format: _ResponseFormat | None = None


class _Responses(Struct):
    input: str | list[_Message]
    model: str | None = None
    stream: bool | None = None
    reasoning: _Reasoning | None = None
    text: _TextOptions | None = None


class _Thinking(Struct):
    type: str = "disabled"


class _Messages(Struct):
    messages: list[_Message]
    model: str | None = None
    stream: bool | None = None
    thinking: _Thinking | None = None
    output_config: _TextOptions | None = None


def read_view(endpoint: Endpoint, body: bytes | bytearray) -> View:
    """What decisions need of `body`.

    Raises:
        BadRequest: `body` is no JSON (`invalid_json`), or a value has a type that no engine takes (`invalid_type`, with the path).
    """
    return _READERS[endpoint](body)


def _chat(body: bytes | bytearray) -> View:
    ask = _decode(_CHAT, body)
    return _view(ask, ask.messages, ask.reasoning_effort, structured=_is_structured(ask))


def _completion(body: bytes | bytearray) -> View:
    ask = _decode(_COMPLETION, body)
    prompts = [ask.prompt] if isinstance(ask.prompt, str) else ask.prompt or []
    text = "\n".join(prompt for prompt in prompts if isinstance(prompt, str))
    return View(ask.model, bool(ask.stream), text, structured=_is_structured(ask))


def _is_structured(ask: _Chat | _Completion) -> bool:
    """Whether the answer must have a given form, OpenAI's way or vLLM's own."""
    return _is_a_form(ask.response_format) or bytes(ask.structured_outputs) not in EMPTY


def _is_a_form(form: _ResponseFormat | None) -> bool:
    return form is not None and form.type != "text"


def _responses(body: bytes | bytearray) -> View:
    ask = _decode(_RESPONSES, body)
    messages = [_Message(content=ask.input)] if isinstance(ask.input, str) else ask.input
    structured = ask.text is not None and _is_a_form(ask.text.format)
    return _view(ask, messages, ask.reasoning.effort if ask.reasoning else None, structured=structured)


def _messages(body: bytes | bytearray) -> View:
    ask = _decode(_MESSAGES, body)
    effort = None if ask.thinking is None else "none" if ask.thinking.type == "disabled" else "high"
    structured = ask.output_config is not None and _is_a_form(ask.output_config.format)
    return _view(ask, ask.messages, effort, structured=structured)


def _decode(decoder: msgspec.json.Decoder[T], body: bytes | bytearray) -> T:
    try:
        return decoder.decode(outline(body).text)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at ")
        raise BadRequest(f"{message}{path and ' at ' + path}", code="invalid_type", param=_param(path)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"The request body is not valid JSON: {error}") from error


def _param(path: str) -> str | None:
    return path.strip("`").removeprefix("$").removeprefix(".") or None


def _view(
    ask: _Chat | _Responses | _Messages, messages: list[_Message], effort: str | None, *, structured: bool = False
) -> View:
    turns = list(itertools.islice(_user_turns(messages), 1 + EARLIER_TURNS))
    text, images = turns[0] if turns else ("", 0)
    earlier = tuple(text for text, _ in reversed(turns[1:]))
    return View(ask.model, bool(ask.stream), text, images, effort, structured, earlier, _thought(messages))


def _user_turns(messages: list[_Message]) -> Iterator[tuple[str, int]]:
    """What the user said and how many pictures came with it or after it, the latest turn first. Tool results are nothing that is asked."""
    images = 0
    for message in reversed(messages):
        parts = list(_parts(message.content)) if _is_users(message) else []
        images += sum(part.type in IMAGE_TYPES for part in parts)
        if text := "\n".join(part.text for part in parts if part.text):
            yield text, images
            images = 0


def _thought(messages: list[_Message]) -> bool:
    """Whether the last answer in the conversation came with reasoning, in any of the forms in which clients send it back."""
    turn = itertools.dropwhile(_is_users, reversed(messages))
    return any(map(_has_reasoning, itertools.takewhile(lambda message: not _is_users(message), turn)))


def _is_users(message: _Message) -> bool:
    return (message.role, message.type) == ("user", "message")


def _has_reasoning(message: _Message) -> bool:
    said = (bytes(message.reasoning), bytes(message.reasoning_content))
    return (
        message.type == "reasoning"
        or any(text not in EMPTY for text in said)
        or any(part.type == "thinking" for part in _parts(message.content))
    )


def _parts(content: str | list[_Part | str] | _Part | None) -> Iterator[_Part]:
    if isinstance(content, str):
        yield _Part(text=content)
    elif isinstance(content, _Part):
        yield content
    elif content is not None:
        yield from (_Part(text=part) if isinstance(part, str) else part for part in content)


_CHAT = msgspec.json.Decoder(_Chat)
_COMPLETION = msgspec.json.Decoder(_Completion)
_RESPONSES = msgspec.json.Decoder(_Responses)
_MESSAGES = msgspec.json.Decoder(_Messages)
_READERS: dict[Endpoint, Callable[[bytes | bytearray], View]] = {
    "chat_completions": _chat,
    "completions": _completion,
    "responses": _responses,
    "messages": _messages,
}

_MODEL_VALUE = re.compile(rb'"model"\s*:\s*("[^"\\]*(?:\\.[^"\\]*)*")')


class _Model(Struct):
    model: str | None = None


_MODEL = msgspec.json.Decoder(_Model)


def with_model(body: bytes | bytearray, model: str) -> tuple[Buffer, ...]:
    """`body` with the value of its own `model` key replaced and no other byte changed, in pieces that share its memory.

    `"model":` can stand in `body` several times (in a tool's schema, say) but never inside a JSON string, where its quotes would be
    escaped. Which one is the body's own a JSON reader tells, once each is given a number for its value.
    """
    sketch, numbers = outline(body), itertools.count()
    numbered = _MODEL_VALUE.sub(lambda _: b'"model":"%d"' % next(numbers), sketch.text)
    own = int(_MODEL.decode(numbered).model or -1)
    found = next(itertools.islice(_MODEL_VALUE.finditer(sketch.text), own, None), None) if own >= 0 else None
    if found is None:
        return (body,)
    whole, (start, end) = memoryview(body), found.span(1)
    return whole[: sketch.offset_in_body(start)], msgspec.json.encode(model), whole[sketch.offset_in_body(end) :]
