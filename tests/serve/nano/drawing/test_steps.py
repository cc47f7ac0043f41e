import re
from random import Random

from serve.nano.drawing import steps


def evaluated(thought: str) -> list[tuple[int, int]]:
    """Both sides of every small equation of whole numbers in `thought`."""
    equations = re.findall(r"(?<![\d.])(\d+(?:[-+*]\d+)+)=(\d+)", thought)
    return [(eval(left), int(right)) for left, right in equations]


def test_every_column_of_every_operation_is_right_and_so_is_the_result() -> None:
    rng = Random(1)
    for _ in range(500):
        places, a, b, times = rng.choice((0, 2)), rng.randint(0, 30_000), rng.randint(0, 30_000), rng.randint(2, 9)
        a, b = max(a, b), min(a, b)
        for line, result in (
            (steps.add(a, b, places), a + b),
            (steps.subtract(a, b, places), a - b),
            (steps.multiply(times, a, places), times * a),
        ):
            assert line.endswith(f"-> {steps.written(result, places)}")
            columns = evaluated(line.split(": ")[1])
            assert len(columns) >= places + 1
            assert all(left == right for left, right in columns), line


def test_a_running_sum_reads_each_value_where_it_is_added() -> None:
    assert steps.running_sum([("Tea", 1250), ("Cake", 375), ("Soup", 999)], 2) == [
        "Tea 12.50",
        "Cake 3.75",
        "12.50 + 03.75: 0+5=5 5+7=12 1+2+3=6 1+0=1 -> 16.25",
        "Soup 9.99",
        "16.25 + 09.99: 5+9=14 1+2+9=12 1+6+9=16 1+1+0=2 -> 26.24",
    ]


def test_a_borrowed_ten_is_paid_back_in_the_next_column() -> None:
    assert steps.subtract(2000, 1575, 2) == "20.00 - 15.75: 10-5=5 10-7-1=2 10-5-1=4 2-1-1=0 -> 4.25"


def test_the_greatest_is_found_by_keeping_the_best_so_far() -> None:
    named = [("Tea", 250), ("Cake", 450), ("Soup", 399)]
    assert steps.extreme(named, 2, greatest=True) == (["Tea 2.50", "Cake 4.50 > 2.50", "Soup 3.99 < 4.50"], "Cake")
    assert steps.extreme(named, 2, greatest=False)[1] == "Tea"
