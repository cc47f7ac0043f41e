"""A purchase, and what can be asked about a picture of it, however it is laid out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from serve.nano.drawing import likeness, record, steps, values

if TYPE_CHECKING:
    from random import Random

    from serve.nano.drawing.asking import Asker
    from serve.nano.drawing.values import Money
    from serve.nano.drawing.vocabulary import Vocabulary
    from serve.nano.sample import Turn


@dataclass(frozen=True, slots=True)
class Purchase:
    """What the picture shows; "" and `None` are not shown. Amounts are as in `values.Money`."""

    form: Money
    items: tuple[tuple[str, int], ...]
    shop: str = ""
    address: str = ""
    phone: str = ""
    date: str = ""
    time: str = ""
    order: str = ""
    total: int | None = None
    payment: str = ""

    @property
    def sum(self) -> int:
        return sum(amount for _, amount in self.items)


def made_up(vocabulary: Vocabulary, count: int, *, total: bool) -> Purchase:
    rng, chinese = vocabulary.rng, vocabulary.chinese
    form = values.money(rng, chinese=chinese)
    items = tuple((name, values.price(rng, form)) for name in vocabulary.items(count))
    return Purchase(
        form,
        items,
        shop=vocabulary.shop() if rng.random() < 0.85 else "",
        address=vocabulary.address() if rng.random() < 0.35 else "",
        phone=values.phone(rng, chinese=chinese) if rng.random() < 0.3 else "",
        date=values.date(rng, chinese=chinese) if rng.random() < 0.75 else "",
        time=values.time(rng) if rng.random() < 0.35 else "",
        order=values.order(rng) if rng.random() < 0.4 else "",
        total=sum(amount for _, amount in items) if total else None,
        payment=vocabulary.pick("payments") if total and rng.random() < 0.3 else "",
    )


def asked(purchase: Purchase, rows: list[str], asker: Asker, rng: Random) -> list[Turn]:
    """`rows` is the whole text, line by line."""
    turns = [asker.turn("transcribe", "\n".join(rows)) for _ in range(3)]
    turns += [*_fields(purchase, asker), *_lookups(purchase, asker, rng)]
    turns += reckoned(purchase, asker, rng)
    turns += [record.whole(purchase, asker), record.part(purchase, asker, rng), _caption(purchase, asker)]
    return turns


def _fields(purchase: Purchase, asker: Asker) -> list[Turn]:
    printed = {
        "shop": purchase.shop,
        "address": purchase.address,
        "phone": purchase.phone,
        "date": purchase.date,
        "time": purchase.time,
        "order": purchase.order,
        "payment": purchase.payment,
    }
    turns = [asker.turn(kind, value) for kind, value in printed.items() if value]
    if purchase.total is not None:
        turns += [asker.turn("total", purchase.form.write(purchase.total)) for _ in range(2)]
    if not purchase.date:
        turns.append(asker.turn("absent", asker.say("There is no date.", "图中没有日期。"), ask="absent_date"))
    if not purchase.phone:
        turns.append(asker.turn("absent", asker.say("There is no phone number.", "图中没有电话。"), ask="absent_phone"))
    return turns


def _lookups(purchase: Purchase, asker: Asker, rng: Random) -> list[Turn]:
    items, form = purchase.items, purchase.form
    name, amount = rng.choice(items)
    turns = [
        asker.turn("rows", str(len(items))),
        asker.turn("price", form.write(amount), item=_typed(name, rng)),
        asker.turn("items", "\n".join(name for name, _ in items)),
    ]
    prices = [price for _, price in items]
    alone = [(name, price) for name, price in items if prices.count(price) == 1]
    turns += [asker.turn("which", name, price=form.write(price)) for name, price in alone]
    return turns


def _typed(name: str, rng: Random) -> str:
    """As a user would type what the picture says."""
    return name.lower() if rng.random() < 0.3 else name


def reckoned(purchase: Purchase, asker: Asker, rng: Random) -> list[Turn]:
    """What takes steps: sums, change, differences, multiples."""
    turns = [_product(purchase, asker, rng), *_extremes(purchase, asker)]
    if purchase.total is not None:
        turns += [_change(purchase, asker, rng) for _ in range(2)]
    else:
        turns += [_sum_all(purchase, asker), _sum_all(purchase, asker), _left_over(purchase, asker, rng)]
    if len(purchase.items) > 1:
        turns += [_pair(purchase, asker, rng), _change_of_pair(purchase, asker, rng), _difference(purchase, asker, rng)]
        turns += likeness.asked(rng.sample(purchase.items, 2), asker, purchase.form.places, "is_dearer")
    return turns


def _listed(items: tuple[tuple[str, int], ...], places: int) -> list[str]:
    return [f"{name} {steps.written(amount, places)}" for name, amount in items]


def _sum_all(purchase: Purchase, asker: Asker) -> Turn:
    thought = "\n".join(steps.running_sum(purchase.items, purchase.form.places))
    return asker.turn("sum", purchase.form.write(purchase.sum), thought, ask="sum_all")


def _left_over(purchase: Purchase, asker: Asker, rng: Random) -> Turn:
    form, cost = purchase.form, purchase.sum
    note = values.note(rng, form, cost)
    thought = [*steps.running_sum(purchase.items, form.places), steps.subtract(note, cost, form.places)]
    return asker.turn(
        "change",
        form.write(note - cost),
        "\n".join(thought),
        ask=rng.choice(("left_over", "change")),
        note=values.note_written(rng, form, note),
    )


def _change(purchase: Purchase, asker: Asker, rng: Random) -> Turn:
    form, cost = purchase.form, purchase.total or 0
    note = values.note(rng, form, cost)
    thought = f"{asker.say('Total', '合计')} {steps.written(cost, form.places)}\n{steps.subtract(note, cost, form.places)}"
    return asker.turn("change", form.write(note - cost), thought, note=values.note_written(rng, form, note))


def _pair(purchase: Purchase, asker: Asker, rng: Random) -> Turn:
    (a, first), (b, second) = pair = tuple(rng.sample(purchase.items, 2))
    thought = "\n".join(steps.running_sum(pair, purchase.form.places))
    return asker.turn("sum", purchase.form.write(first + second), thought, a=_typed(a, rng), b=_typed(b, rng))


def _change_of_pair(purchase: Purchase, asker: Asker, rng: Random) -> Turn:
    form = purchase.form
    (a, first), (b, second) = pair = tuple(rng.sample(purchase.items, 2))
    note = values.note(rng, form, first + second)
    thought = [*steps.running_sum(pair, form.places), steps.subtract(note, first + second, form.places)]
    slots = {"a": _typed(a, rng), "b": _typed(b, rng), "note": values.note_written(rng, form, note)}
    return asker.turn("change", form.write(note - first - second), "\n".join(thought), ask="change_items", **slots)


def _difference(purchase: Purchase, asker: Asker, rng: Random) -> Turn:
    form = purchase.form
    pair = tuple(sorted(rng.sample(purchase.items, 2), key=lambda item: -item[1]))
    (a, more), (b, less) = pair
    thought = "\n".join([*_listed(pair, form.places), steps.subtract(more, less, form.places)])
    return asker.turn("compare", form.write(more - less), thought, a=_typed(a, rng), b=_typed(b, rng))


def _product(purchase: Purchase, asker: Asker, rng: Random) -> Turn:
    name, amount = rng.choice(purchase.items)
    times, form = rng.randint(2, 9), purchase.form
    thought = f"{name} {steps.written(amount, form.places)}\n{steps.multiply(times, amount, form.places)}"
    return asker.turn("product", form.write(times * amount), thought, n=times, item=_typed(name, rng))


def _extremes(purchase: Purchase, asker: Asker) -> list[Turn]:
    amounts = [amount for _, amount in purchase.items]
    turns = []
    for kind, best, greatest in (("dearest", max(amounts), True), ("cheapest", min(amounts), False)):
        if len(amounts) > 1 and amounts.count(best) == 1:
            thought, name = steps.extreme(purchase.items, purchase.form.places, greatest=greatest)
            turns.append(asker.turn(kind, name, "\n".join(thought)))
    return turns


def _caption(purchase: Purchase, asker: Asker) -> Turn:
    count = len(purchase.items)
    items = f"{count} item{'s' * (count > 1)}"
    if purchase.total is None:
        return asker.turn("caption", asker.say(f"A price list with {items}.", f"一张价格表，共{count}项。"))
    total = purchase.form.write(purchase.total)
    return asker.turn(
        "caption", asker.say(f"A receipt with {items}. The total is {total}.", f"一张小票，共{count}项，合计{total}。")
    )
