"""Asks an Instruct engine whether a request in doubt needs thinking: what to send, and how to read the answer. Pure.

The question follows the request's own messages, so its prompt begins with theirs: what the engine computes for it, pictures
included, is in its prefix cache when it then answers the request itself. https://docs.vllm.ai/en/latest/design/prefix_caching/
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

QUESTION = (
    "Do not answer the request above yet. Does it need several dependent steps (calculating, comparing, deducing, proving, "
    "debugging, planning), or can it be answered at once by looking, reading or recalling? "
    "Reply with one letter: A = at once, B = several steps."
)
AT_ONCE, SEVERAL_STEPS = "A", "B"
NOTHING = msgspec.Raw(b"null")
_TURN = msgspec.json.encode({"role": "user", "content": QUESTION})
_ONE_LETTER = {
    "max_tokens": 1,
    "temperature": 0,
    "stream": False,
    "structured_outputs": {"choice": [AT_ONCE, SEVERAL_STEPS]},
}


class _Request(Struct):
    """What of a chat request decides how its prompt begins, and who may find it in the prefix cache (`cache_salt`)."""

    messages: msgspec.Raw
    tools: msgspec.Raw = NOTHING
    documents: msgspec.Raw = NOTHING
    chat_template: msgspec.Raw = NOTHING
    chat_template_kwargs: msgspec.Raw = NOTHING
    mm_processor_kwargs: msgspec.Raw = NOTHING
    media_io_kwargs: msgspec.Raw = NOTHING
    cache_salt: msgspec.Raw = NOTHING
    priority: msgspec.Raw = NOTHING


class _Message(Struct):
    content: str | None = None


class _Choice(Struct):
    message: _Message


class _Answer(Struct):
    choices: list[_Choice]


def question(body: bytes | bytearray, model: str) -> bytes | None:
    """The chat request that asks about `body`, under a name that the engine knows; None where `body` is no chat request with a message.

    Tools are part of the prompt, and none may be called: with a choice of its own vLLM would want one.
    """
    try:
        request = msgspec.json.decode(body, type=_Request)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    messages = bytes(request.messages).rstrip().removesuffix(b"]")
    if not messages.strip(b"[ \t\r\n"):
        return None
    sent = {key: value for key, value in msgspec.structs.asdict(request).items() if value != NOTHING}
    sent["messages"] = msgspec.Raw(messages + b"," + _TURN + b"]")
    choice = {"tool_choice": "none"} if "tools" in sent else {}
    return msgspec.json.encode(sent | _ONE_LETTER | choice | {"model": model})


def needs_steps(answer: bytes) -> bool | None:
    """What the engine said; None where it said nothing that was asked for."""
    try:
        choices = msgspec.json.decode(answer, type=_Answer).choices
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    letter = (choices[0].message.content or "").strip() if choices else ""
    return {AT_ONCE: False, SEVERAL_STEPS: True}.get(letter)
