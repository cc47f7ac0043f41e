from random import Random

import pytest

from serve.nano.drawing import form
from serve.nano.drawing.asking import Asker
from serve.nano.drawing.corpus import Language
from serve.nano.drawing.vocabulary import Vocabulary
from serve.nano.sample import Turn


@pytest.mark.parametrize("language", ["english", "chinese"])
def test_in_training_a_date_is_asked_for_whatever_its_label(language: Language) -> None:
    """A made-up label tells nothing: a date is known by its looks."""
    checked = 0
    for seed in range(1000):
        vocabulary = Vocabulary(Random(seed), "train", language)
        fields = form.filled(vocabulary, 5)
        dates = [field for field in fields if field.kind == "date"]
        if len(dates) == 1 and dates[0].label not in vocabulary.known("labels"):
            turns = form.asked(fields, [], Asker(vocabulary.rng, language), vocabulary.rng)
            assert _answers(turns, "date") == {dates[0].value}
            assert not _answers(turns, "absent")
            checked += 1
    assert checked > 15


def test_there_is_no_date_only_where_nothing_can_be_taken_for_one() -> None:
    asker = Asker(Random(1), "english")
    told = {
        value: _answers(form.asked([form.Field("Shop", value, "")], [], asker, Random(1)), "absent")
        for value in ("Pebble & Co", "11.03.2027")
    }
    assert told == {"Pebble & Co": {"There is no date."}, "11.03.2027": set()}


def _answers(turns: list[Turn], kind: str) -> set[str]:
    return {turn.answer for turn in turns if turn.kind == kind}
