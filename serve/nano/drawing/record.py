"""A purchase as JSON: all of it, or the keys that are asked for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from serve.nano.drawing import steps

if TYPE_CHECKING:
    from random import Random

    from serve.nano.drawing.asking import Asker
    from serve.nano.drawing.purchase import Purchase
    from serve.nano.sample import Turn

_KEYS = (
    ("shop", ("shop", "store", "vendor", "merchant"), ("店名", "商家", "商店")),
    ("date", ("date",), ("日期",)),
    ("total", ("total", "amount", "sum"), ("合计", "总金额", "总计")),
    ("order", ("order", "order_no", "number"), ("订单号", "单号")),
    ("phone", ("phone", "tel"), ("电话",)),
)


def whole(purchase: Purchase, asker: Asker) -> Turn:
    """Every field that is shown; amounts are numbers."""
    places = purchase.form.places
    say = asker.say
    item, cost = say("name", "名称"), say("price", "价格")
    shown: dict[str, object] = {
        say("shop", "店名"): purchase.shop,
        say("address", "地址"): purchase.address,
        say("phone", "电话"): purchase.phone,
        say("date", "日期"): purchase.date,
        say("time", "时间"): purchase.time,
        say("order", "订单号"): purchase.order,
        say("items", "商品"): [{item: name, cost: amount} for name, amount in purchase.items],
        say("total", "合计"): purchase.total,
        say("payment", "付款方式"): purchase.payment,
    }
    kept = {key: value for key, value in shown.items() if value not in ("", None)}
    return asker.turn("json", _amounts(kept, places))


def _amounts(record: object, places: int) -> str:
    """JSON in which every whole number is an amount, written with its places."""
    if isinstance(record, dict):
        return (
            "{"
            + ", ".join(f"{json.dumps(key, ensure_ascii=False)}: {_amounts(value, places)}" for key, value in record.items())
            + "}"
        )
    if isinstance(record, list):
        return "[" + ", ".join(_amounts(value, places) for value in record) + "]"
    return steps.written(record, places) if isinstance(record, int) else json.dumps(record, ensure_ascii=False)


def part(purchase: Purchase, asker: Asker, rng: Random) -> Turn:
    """Only the keys that the ask names, `null` for what is not shown."""
    chosen = sorted(rng.sample(range(len(_KEYS)), rng.randint(2, 3)))
    wanted = {rng.choice(_KEYS[index][2 if asker.chinese else 1]): getattr(purchase, _KEYS[index][0]) for index in chosen}
    answer = _amounts({key: None if value == "" else value for key, value in wanted.items()}, purchase.form.places)
    keys = ("、" if asker.chinese else ", ").join(wanted)
    template = "{" + ", ".join(f'"{key}": ""' for key in wanted) + "}"
    return asker.turn("json", answer, ask="json_keys", keys=keys, template=template)
