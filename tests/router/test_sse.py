"""Events out of chunks, wherever the chunks were cut."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from router.relay import Marks
from router.sse import EventBuffer, first_event, with_reasoning_content

STREAM = (
    b': keep-alive\n\ndata: {"choices":[{"delta":{"role":"assistant","content":""}}]}\n\n'
    b'data: {"choices":[{"delta":{"reasoning":"a \\"reasoning\\": \\\\ b"}}]}\n\n'
    b'data: {"choices":[{"delta":{"reasoning":null,"content":"\\n\\ndata: [DONE]"}}]}\r\n\r\n'
    b'data: {"usage":{"completion_tokens_details":{"reasoning_tokens":3}}}\n\ndata: [DONE]\n\n'
)


def test_every_pair_of_cuts_gives_back_the_stream_in_whole_events() -> None:
    for first in range(len(STREAM) + 1):
        for second in range(first, len(STREAM) + 1, 7):
            buffer, pieces = EventBuffer(), []
            for chunk in (STREAM[:first], STREAM[first:second], STREAM[second:]):
                piece = buffer.feed(chunk)
                assert piece == b"" or piece.endswith((b"\n\n", b"\r\n\r\n"))
                pieces.append(piece)
            assert b"".join(pieces) == STREAM


def test_the_first_event_is_the_first_with_data() -> None:
    assert first_event(b": ping\n\nevent: x\n\n") == b""
    assert first_event(b": ping\n\nevent: message_start\ndata: {}\n\ndata: 2\n\n") == b"{}"


@given(st.none() | st.text())
def test_reasoning_content_repeats_reasoning_whatever_it_holds(text: str | None) -> None:
    event = json.dumps({"delta": {"reasoning": text, "content": '"reasoning": "x"'}}, ensure_ascii=False)
    edited = json.loads(with_reasoning_content(event.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass"))
    assert edited == {"delta": {"reasoning": text, "reasoning_content": text, "content": '"reasoning": "x"'}}


def test_an_engine_that_sends_both_fields_is_left_alone() -> None:
    event = b'data: {"delta":{"reasoning":"a","reasoning_content":"a"}}\n\n'
    assert with_reasoning_content(event) == event


def test_marks_are_set_by_the_first_text_that_is_not_empty() -> None:
    marks = Marks()
    for event in STREAM.split(b"\n\n"):
        marks.read(event)
        assert (marks.first_reasoning is not None) >= (marks.first_answer is not None)
    assert marks.first_reasoning is not None
    assert marks.first_answer is not None
    assert marks.first_reasoning < marks.first_answer
