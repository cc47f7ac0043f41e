"""The same mix asks the same questions; the shares come out as asked; every picture is a picture."""

import base64
import io
import json
from itertools import islice

import pytest
from PIL import Image

from loadtests.workload import REPEATED_PICTURES, Ask, Mix, ask, asks


def picture(request: Ask) -> bytes:
    url: str = json.loads(request.body)["messages"][0]["content"][0]["image_url"]["url"]
    return base64.b64decode(url.removeprefix("data:image/png;base64,"), validate=True)


def test_the_same_mix_gives_the_same_bytes() -> None:
    assert [ask(Mix(), 3, number) for number in range(6)] == list(islice(asks(Mix(), 3), 6))
    assert ask(Mix(seed=2), 3, 0) != ask(Mix(), 3, 0) != ask(Mix(), 4, 0)


def test_pictures_open_at_the_size_that_is_said() -> None:
    for number in range(12):
        request = ask(Mix(), 0, number)
        with Image.open(io.BytesIO(picture(request))) as image:
            image.load()
            assert (image.format, image.size) == ("PNG", request.size)


def test_repeated_pictures_are_few_and_the_others_all_differ() -> None:
    repeated = {picture(ask(Mix(repeat_share=1), 0, number)) for number in range(24)}
    unique = [picture(ask(Mix(repeat_share=0), 0, number)) for number in range(24)]
    assert 1 < len(repeated) <= REPEATED_PICTURES
    assert len(set(unique)) == len(unique)


def test_the_pools_come_in_their_shares() -> None:
    asked = [ask(Mix(thinking_share=0.5, auto_share=0.2), 0, number).asked for number in range(120)]
    assert 0.1 < asked.count("auto") / 120 < 0.3
    assert 0.3 < asked.count("thinking") / 120 < 0.5


def test_a_share_over_one_is_named() -> None:
    with pytest.raises(ValueError, match=r"auto_share is 1\.5"):
        Mix(auto_share=1.5)
