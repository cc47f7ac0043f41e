from random import Random

import pytest

from serve.nano.drawing.corpus import Language
from serve.nano.drawing.vocabulary import Vocabulary


@pytest.mark.parametrize("language", ["english", "chinese"])
def test_titles_of_charts_are_half_made_up_in_training_and_never_in_tests(language: Language) -> None:
    """A model that knew them by heart would read an unseen title as one of its own."""
    training, testing = (Vocabulary(Random(1), split, language) for split in ("train", "test"))
    known = set(training.known("titles"))
    assert 60 < sum(training.title() not in known for _ in range(200)) < 140
    assert {testing.title() for _ in range(200)} <= set(testing.known("titles"))
    assert not known & set(testing.known("titles"))
