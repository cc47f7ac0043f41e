"""Samples are cut by marks: a sample holds until the next, and a part that comes twice is one part."""

from loadtests.memory.watch import parts

SAMPLES = [(0.0, (1, 10)), (1.0, (5, 10)), (2.0, (3, 12)), (6.0, (4, 9))]


def test_each_part_has_its_peak_and_its_last() -> None:
    found = parts(SAMPLES, [(0.5, "loading"), (2.0, "idle"), (4.0, "traffic")], 7.0)
    assert found["loading"] == {"peak": [5, 10], "last": [5, 10]}
    assert found["idle"] == {"peak": [5, 12], "last": [3, 12]}  # what was there as it began counts too
    assert found["traffic"] == {"peak": [4, 12], "last": [4, 9]}


def test_a_part_without_a_sample_is_left_out() -> None:
    assert parts([(5.0, (1,))], [(0.0, "loading"), (4.0, "idle")], 6.0) == {"idle": {"peak": [1], "last": [1]}}


def test_a_part_that_comes_twice_keeps_the_higher_peak() -> None:
    found = parts(SAMPLES, [(0.5, "idle"), (3.0, "traffic"), (4.0, "idle")], 7.0)
    assert found["idle"] == {"peak": [5, 12], "last": [4, 9]}
