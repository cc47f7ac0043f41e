"""Forms with labelled fields, and address labels without."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from serve.nano.drawing import sizes, values
from serve.nano.drawing.faces import pen
from serve.nano.drawing.sheet import Sheet

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from serve.nano.drawing.asking import Asker
    from serve.nano.drawing.vocabulary import Vocabulary
    from serve.nano.sample import Turn

    Pair = tuple[str, str]  # a label as it is printed, and its value

_KINDS = ("name", "date", "phone", "email", "address")
_UNDER_ANY_LABEL = ("name", "name", "name", "date", "date", "phone", "email", "address")


class Field(NamedTuple):
    """`kind` says what the value is, whatever the label; empty for plain words."""

    label: str
    value: str
    kind: str


def form(vocabulary: Vocabulary, asker: Asker) -> tuple[Sheet, list[Turn]]:
    rng = vocabulary.rng
    fields = filled(vocabulary, rng.randint(2, 8))
    title = vocabulary.pick("form_titles") if rng.random() < 0.5 else ""
    return _sheet(title, fields, vocabulary, asker)


def filled(vocabulary: Vocabulary, count: int) -> list[Field]:
    """Up to `count` fields with labels of their own. In training one often holds something else than its label says."""
    labels = vocabulary.labels("labels", count)
    name = vocabulary.known("labels")[0]
    if name not in labels and vocabulary.rng.random() < 0.5:
        labels[0] = name
    fields = [_fitting(label, vocabulary) for label in labels]
    if vocabulary.split == "train" and vocabulary.rng.random() < 0.6:  # a date is one by its looks, and not by its label alone
        place = vocabulary.rng.randrange(len(fields))
        fields[place] = _of_kind(vocabulary.rng.choice(_UNDER_ANY_LABEL), fields[place].label, vocabulary)
    return fields


def _fitting(label: str, vocabulary: Vocabulary) -> Field:
    """Something that fits the label."""
    for kind in (*_KINDS, "code", "number"):
        if label in vocabulary.known(f"labels_{kind}"):
            return _of_kind(kind, label, vocabulary)
    others = (
        vocabulary.word,
        vocabulary.word,
        lambda: vocabulary.phrase(18),
        vocabulary.shop,
        lambda: vocabulary.pick("cities"),
    )
    return Field(label, vocabulary.rng.choice(others)(), "")


def _of_kind(kind: str, label: str, vocabulary: Vocabulary) -> Field:
    rng, chinese = vocabulary.rng, vocabulary.chinese
    makers: dict[str, Callable[[], str]] = {
        "name": vocabulary.person,
        "date": lambda: values.date(rng, chinese=chinese),
        "phone": lambda: values.phone(rng, chinese=chinese),
        "email": lambda: values.email(rng, vocabulary.invented()),
        "address": vocabulary.address,
        "code": lambda: values.order(rng),
        "number": lambda: str(rng.randint(1, 999)),
    }
    return Field(label, makers[kind](), kind)


def _sheet(title: str, fields: list[Field], vocabulary: Vocabulary, asker: Asker) -> tuple[Sheet, list[Turn]]:
    rng = vocabulary.rng
    colon = rng.choice((":", ":", "")) if not vocabulary.chinese else rng.choice((":", "：", ""))
    style = rng.choice(("inline", "inline", "columns", "columns", "stacked", "boxed"))
    shown = [(field.label + colon, field.value) for field in fields]
    stacked = style in {"stacked", "boxed"}
    rows = [title] * bool(title) + [
        text for label, value in shown for text in ([label, value] if stacked else [f"{label} {value}"])
    ]
    size = sizes.fitting(rows, rng, gap=2.5, leading=1.8)
    sheet = (
        _stacked(title, shown, vocabulary, size, boxed=style == "boxed")
        if stacked
        else _inline(title, shown, vocabulary, size, style)
    )
    return sheet, asked(fields, rows, asker, rng)


def _inline(title: str, shown: Sequence[Pair], vocabulary: Vocabulary, size: int, style: str) -> Sheet:
    """Label and value side by side, values in a column of their own or not, often on a rule."""
    rng, sheet = vocabulary.rng, Sheet()
    body = pen(vocabulary.split, size, rng, chinese=vocabulary.chinese)
    hand = body if rng.random() < 0.6 else pen(vocabulary.split, size, rng, chinese=vocabulary.chinese)
    leading, y = size * rng.uniform(1.4, 2.1), 0.0
    edge = max(body.width(label) for label, _ in shown)
    column = edge + size * rng.uniform(0.6, 2)
    if title:
        sheet.write(0, y, title, body.sized(rng.choice((1.0, 1.2, 1.5))))
        y += leading * 1.3
    ruled, plated = rng.random() < 0.4, rng.random() < 0.25
    flush = style == "columns" and not plated and rng.random() < 0.5  # labels end where their values begin
    for label, value in shown:
        if plated:
            sheet.draw("rectangle", ((-0.2 * size, y - 0.1 * size), (body.width(label) + 0.2 * size, y + 1.3 * size)), 205)
        sheet.write(edge * flush, y, label, body, side="right" if flush else "left")
        # Where nothing else parts them, a gap wider than a blank does.
        x = column if style == "columns" else body.width(label) + size * (0.5 if label.endswith((":", "：")) else 1.2)
        end = sheet.write(x, y, value, hand)
        if ruled:
            sheet.rule((x, y + 1.3 * size), (end + size, y + 1.3 * size), 120)
        y += leading
    return sheet


def _stacked(title: str, shown: Sequence[Pair], vocabulary: Vocabulary, size: int, *, boxed: bool) -> Sheet:
    """Each value below its label, in a box or not."""
    rng, sheet = vocabulary.rng, Sheet()
    body = pen(vocabulary.split, size, rng, chinese=vocabulary.chinese)
    small, y = body.sized(rng.choice((0.8, 1.0))), 0.0
    width = max(body.width(text) for pair in shown for text in pair) + 1.2 * size
    if title:
        sheet.write(0, y, title, body)
        y += 1.7 * size
    for label, value in shown:
        sheet.write(0, y, label, small, 70)
        y += 1.25 * small.size
        if boxed:
            sheet.draw("rectangle", ((0, y), (width, y + 1.6 * size)), None, 110)
        sheet.write(0.5 * size * boxed, y + 0.2 * size * boxed, value, body)
        y += (2.0 if boxed else 1.6) * size
    return sheet


def asked(fields: Sequence[Field], rows: Sequence[str], asker: Asker, rng: Random) -> list[Turn]:
    turns = [
        *(asker.turn("transcribe", "\n".join(rows)) for _ in range(2)),
        asker.turn("rows", str(len(fields)), ask="fields"),
        asker.turn("json", _json(fields)),
        asker.turn("caption", asker.say(f"A form with {len(fields)} fields.", f"一张表单，共{len(fields)}项。")),
    ]
    turns += [
        asker.turn("field", field.value, label=_typed(field.label, rng)) for field in rng.sample(fields, min(5, len(fields)))
    ]
    return [*turns, *_asked_by_kind(fields, asker), _asked_by_keys(rng.sample(fields, min(2, len(fields))), asker)]


def _asked_by_kind(fields: Sequence[Field], asker: Asker) -> list[Turn]:
    """For what there is one of, whatever its label; and for a date where there is none."""
    turns: list[Turn] = []
    for kind in _KINDS:
        found = [field.value for field in fields if field.kind == kind]
        if len(found) == 1:
            turns += [asker.turn(kind, found[0]) for _ in range(2)]
    # Plain words may have a date among them.
    if not any(field.kind == "date" or (not field.kind and any(map(str.isdigit, field.value))) for field in fields):
        turns.append(asker.turn("absent", asker.say("There is no date.", "图中没有日期。"), ask="absent_date"))
    return turns


def _asked_by_keys(wanted: Sequence[Field], asker: Asker) -> Turn:
    keys = ("、" if asker.chinese else ", ").join(field.label for field in wanted)
    template = "{" + ", ".join(f'"{field.label}": ""' for field in wanted) + "}"
    return asker.turn("json", _json(wanted), ask="json_keys", keys=keys, template=template)


def _json(fields: Sequence[Field]) -> str:
    return json.dumps({field.label: field.value for field in fields}, ensure_ascii=False)


def _typed(label: str, rng: Random) -> str:
    return label.lower() if rng.random() < 0.5 else label


def address_label(vocabulary: Vocabulary, asker: Asker) -> tuple[Sheet, list[Turn]]:
    """Who and where, with nothing that says which is which."""
    rng, chinese = vocabulary.rng, vocabulary.chinese
    person, street = vocabulary.person(), vocabulary.street()
    known = [("name", person), ("address", street)]
    rest = [("", vocabulary.pick("cities")), ("", vocabulary.shop())]
    if rng.random() < 0.6:
        known.append(("phone", values.phone(rng, chinese=chinese)))
    if rng.random() < 0.4:
        known.append(("email", values.email(rng, person)))
    lines = [*known[:2], *rest[: rng.randint(0, 2)], *known[2:]]
    if rng.random() < 0.5:
        lines = [lines[0], *rng.sample(lines[1:], len(lines) - 1)]
    return contact_sheet([text for _, text in lines], vocabulary), contact_asked(lines, asker)


def contact_sheet(rows: list[str], vocabulary: Vocabulary) -> Sheet:
    rng, sheet = vocabulary.rng, Sheet()
    size = sizes.fitting(rows, rng, leading=1.6, gap=2)
    body = pen(vocabulary.split, size, rng, chinese=vocabulary.chinese)
    leading = size * rng.uniform(1.25, 1.8)
    width, framed = max(body.width(row) for row in rows), rng.random() < 0.4
    centred = rng.random() < 0.35
    for index, row in enumerate(rows):
        sheet.write(centred * width / 2, index * leading, row, body, side="middle" if centred else "left")
    if framed:
        sheet.draw("rectangle", ((-size / 2, -size / 3), (width + size / 2, len(rows) * leading + size / 3)), None, 80, width=2)
    return sheet


def contact_asked(lines: Sequence[tuple[str, str]], asker: Asker) -> list[Turn]:
    turns = [asker.turn("transcribe", "\n".join(text for _, text in lines)) for _ in range(2)]
    turns += [asker.turn(kind, text) for kind, text in lines if kind]
    turns.append(asker.turn("caption", asker.say(f"The address of {lines[0][1]}.", f"{lines[0][1]}的地址。")))
    if not any(kind == "phone" for kind, _ in lines):
        turns.append(asker.turn("absent", asker.say("There is no phone number.", "图中没有电话。"), ask="absent_phone"))
    return turns
