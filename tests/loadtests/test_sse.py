"""The marks of a stream do not depend on where the network cut it."""

import json

import pytest

from loadtests.sse import StreamMarks


def event(**body: object) -> bytes:
    return b"data: " + json.dumps(body, ensure_ascii=False).encode() + b"\n\n"


def delta(**fields: str) -> bytes:
    return event(choices=[{"index": 0, "delta": fields, "finish_reason": None}])


# The order of vLLM's own stream: an empty role chunk, text, a finish chunk without text, usage without choices.
OPENING = delta(role="assistant", content="")
THOUGHT = delta(reasoning="想", reasoning_content="想")
ANSWER = delta(content="é 42 🧾")
CLOSING = (
    event(choices=[{"index": 0, "delta": {"content": ""}, "finish_reason": "stop"}])
    + event(choices=[], usage={"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11})
    + b"data: [DONE]\n\n"
)
STREAM = b": keep-alive\n\n" + OPENING + THOUGHT + ANSWER + CLOSING


def read(*chunks: bytes) -> StreamMarks:
    """Feed the chunks at the times 0, 1, 2, …"""
    marks = StreamMarks()
    for now, chunk in enumerate(chunks):
        marks.feed(chunk, float(now))
    return marks


@pytest.mark.parametrize("stream", [STREAM, STREAM.replace(b"\n", b"\r\n")], ids=["lf", "crlf"])
def test_marks_at_every_split_position(stream: bytes) -> None:
    end_of_thought, end_of_answer = (stream.index(mark) for mark in (ANSWER.splitlines()[0], CLOSING.splitlines()[0]))
    for cut in range(1, len(stream)):
        marks = read(stream[:cut], stream[cut:])
        thought, answer = float(cut < end_of_thought), float(cut < end_of_answer)
        assert marks.first_token == marks.first_reasoning == thought, cut
        assert (marks.first_answer, marks.last_token, marks.gaps) == (answer, answer, [answer - thought]), cut
        assert (marks.completion_tokens, marks.done, marks.failure) == (2, True, None), cut


def test_a_byte_at_a_time() -> None:
    marks = read(*(bytes([byte]) for byte in STREAM))
    assert marks.failure is None
    assert marks.first_reasoning == STREAM.index(ANSWER) - 1  # the last byte of the event before
    assert marks.gaps == [float(len(ANSWER))]


@pytest.mark.parametrize(
    ("chunks", "failure"),
    [
        ((OPENING, ANSWER), "the stream ended without [DONE]"),
        ((OPENING, CLOSING), "the answer is empty"),
        ((b"data: {broken\n\n", CLOSING), "an event is not JSON: b'{broken'"),
        ((event(error={"message": "engine died", "code": 500}), CLOSING), "error event: 500: engine died"),
        ((ANSWER, event(error="out of memory")), "error event: out of memory"),
    ],
)
def test_what_makes_a_stream_a_failure(chunks: tuple[bytes, ...], failure: str) -> None:
    assert read(*chunks).failure == failure


def test_nothing_counts_after_done() -> None:
    marks = read(ANSWER, CLOSING, ANSWER)
    assert marks.gaps == []


def test_a_tool_call_is_an_answer() -> None:
    call = event(choices=[{"delta": {"tool_calls": [{"index": 0, "function": {"name": "add", "arguments": ""}}]}}])
    assert read(OPENING, call, CLOSING).first_answer == 1.0
