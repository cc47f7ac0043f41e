"""What the router reads of a body, and the one value that it may replace in it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import BadRequest
from router.pictures import outline
from router.values import View
from router.view import read_view, with_model

IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}, "uuid": "a"}


def encoded(**body: Any) -> bytes:
    return json.dumps(body).encode()


def test_each_api_says_the_same_thing_in_its_own_words() -> None:
    text = {"type": "text", "text": "How many?"}
    chat = encoded(
        model="m", stream=True, reasoning_effort="high", messages=[{"role": "user", "content": [IMAGE, IMAGE, text]}]
    )
    responses = encoded(
        model="m",
        stream=True,
        reasoning={"effort": "high"},
        input=[
            {
                "role": "user",
                "content": [{"type": "input_image", "image_url": "data:"}] * 2 + [{"type": "input_text", "text": "How many?"}],
            }
        ],
    )
    messages = encoded(
        model="m",
        stream=True,
        max_tokens=9,
        thinking={"type": "enabled", "budget_tokens": 4096},
        messages=[{"role": "user", "content": [{"type": "image", "source": {"type": "base64", "data": "AA"}}] * 2 + [text]}],
    )
    expected = View("m", stream=True, text="How many?", images=2, effort="high")
    assert read_view("chat_completions", chat) == expected
    assert read_view("responses", responses) == expected
    assert read_view("messages", messages) == expected
    assert read_view("completions", encoded(model="m", prompt=["How", "many?"])).text == "How\nmany?"


def test_the_ask_is_the_last_user_turn_that_holds_text() -> None:
    turns = [
        {"role": "system", "content": "Think carefully."},
        {"role": "user", "content": [IMAGE, {"type": "text", "text": "Prove it."}]},
        {"role": "assistant", "content": None, "reasoning_content": "…", "tool_calls": [{"id": "1"}]},
        {"role": "user", "content": "Now read the total."},
        {"role": "tool", "content": "Solve x"},
    ]
    view = read_view("chat_completions", encoded(messages=turns))
    assert (view.text, view.images) == ("Now read the total.", 0)


def test_the_last_32_asks_before_it_are_read() -> None:
    turns = [{"role": "user", "content": str(number)} for number in range(40)]
    view = read_view("chat_completions", encoded(messages=turns))
    assert (view.text, view.earlier) == ("39", tuple(map(str, range(7, 39))))


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": [{"role": "user", "content": 3}]}, "messages[0].content"),
        ({"messages": [], "stream": "yes"}, "stream"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": []}]}]}, "messages[0].content[0].text"),
    ],
)
def test_a_wrong_type_is_named_with_its_path(body: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as raised:
        read_view("chat_completions", encoded(**body))
    assert raised.value.param == param
    assert param in raised.value.message


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["model", "a", '"model"', "messages"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(before=json_values, after=json_values, model=st.text(), new=st.text(min_size=1), spaces=st.integers(0, 2))
def test_splicing_changes_the_models_name_and_nothing_else(
    before: object, after: object, model: str, new: str, spaces: int
) -> None:
    body = {"x": before, "model": model, "y": after}
    text = json.dumps(body, indent=spaces or None, ensure_ascii=bool(spaces)).encode("utf-8", "surrogatepass")
    try:
        text.decode()
    except UnicodeDecodeError:
        return  # lone surrogates are no JSON text
    assert json.loads(b"".join(with_model(text, new))) == body | {"model": new}


@given(
    st.lists(
        st.tuples(json_values, st.integers(4096, 5000), st.sampled_from(["", "\\", '"', '\\"', "/"])), min_size=1, max_size=3
    ),
    st.data(),
)
def test_pictures_are_cut_out_of_what_is_parsed_and_nothing_else_is(
    parts: list[tuple[object, int, str]], data: st.DataObject
) -> None:
    """A JSON reader sees the same body with each long base64 text shortened; every offset leads back to the same byte."""
    body = [{"a": value, "url": f"data:image/png;base64,{'A' * size}{end}", "b": value} for value, size, end in parts]
    text = json.dumps(body).encode()
    sketch = outline(text)
    if not any(end for _, _, end in parts):
        assert json.loads(sketch.text) == [item | {"url": "data:image/png;base64,"} for item in body]
    assert [item["a"] for item in json.loads(sketch.text)] == [value for value, _, _ in parts]
    offset = data.draw(st.integers(0, len(sketch.text) - 1))
    assert sketch.text[offset] == text[sketch.offset_in_body(offset)]
