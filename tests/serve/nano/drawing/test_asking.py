from random import Random

import pytest

from serve.nano.drawing import talk
from serve.nano.drawing.asking import Asker
from serve.nano.drawing.corpus import Language, sections
from serve.nano.drawing.vocabulary import Vocabulary

LANGUAGES: tuple[Language, ...] = ("english", "chinese")


def test_both_languages_can_ask_the_same() -> None:
    assert set(sections("asks", "english")) - {"verbs"} == set(sections("asks", "chinese"))


def test_asks_say_what_they_are_about() -> None:
    asker = Asker(Random(3), "english")
    for _ in range(200):
        assert "tofu" in asker.phrase("price", item="tofu").lower()
        assert "{" not in asker.phrase("sum", a="tofu", b="rice")


@pytest.mark.parametrize("kind", ["transcribe", "total", "caption", "json", "sum_all", "next"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_dozens_of_phrasings(kind: str, language: Language) -> None:
    asker = Asker(Random(5), language)
    assert len({asker.phrase(kind) for _ in range(1000)}) > 24


def test_small_talk_has_one_answer_for_each_ask_and_says_when_a_picture_is_missing() -> None:
    answers: dict[str, set[str]] = {}
    for seed in range(600):
        rng = Random(seed)
        asker = Asker(rng, LANGUAGES[seed % 2])
        for turn in talk.small_talk(Vocabulary(rng, "train", "english"), asker)[1]:
            answers.setdefault(turn.ask, set()).add(turn.answer)
    assert answers["Hello"] == {
        "Hello! I am Duet's embedded model, a tiny one. Send me a picture with text, a receipt, a form or a chart, and ask about it."
    }
    assert answers["OCR"] <= {
        "I see no picture here. Please send one and ask again.",
        "我没有看到图片。请发一张图片再问我。",
    }
    assert all(len(said) == 1 for ask, said in answers.items() if ask not in {"OCR", "JSON"})


def test_typed_sums_are_right() -> None:
    for seed in range(100):
        rng = Random(seed)
        for turn in talk.sums(Vocabulary(rng, "train", LANGUAGES[seed % 2]), Asker(rng, LANGUAGES[seed % 2]))[1]:
            assert turn.answer.isdecimal()
            assert "{" not in turn.ask
