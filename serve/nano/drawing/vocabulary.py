"""Words, names and codes for pictures: from the lists of the split, or made up so that no list can be learnt by heart."""

from __future__ import annotations

import string
from dataclasses import dataclass
from typing import TYPE_CHECKING

from serve.nano.drawing import corpus, values
from serve.nano.drawing.alphabet import chinese

if TYPE_CHECKING:
    from random import Random

    from serve.nano.drawing.corpus import Language
    from serve.nano.fonts import Split

_ONSETS = (
    "b",
    "br",
    "c",
    "ch",
    "d",
    "dr",
    "f",
    "g",
    "gr",
    "h",
    "j",
    "k",
    "l",
    "m",
    "n",
    "p",
    "pl",
    "qu",
    "r",
    "s",
    "sh",
    "st",
    "t",
    "tr",
    "v",
    "w",
    "x",
    "y",
    "z",
)
_VOWELS = ("a", "e", "i", "o", "u", "ai", "ea", "ee", "ou", "y")
_CODAS = ("", "", "", "n", "r", "s", "t", "l", "m", "ck", "nd", "x", "ng")
_LETTERS = "".join(
    sorted(set(string.ascii_letters + string.digits) - set("IlO"))
)  # which nobody can tell without a word around
_MADE_UP = 0.3  # share of made-up words among all
_ENDS = ("", "", "", "", ".", ",", "!", "?", ":", ";")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What a picture of one split and one language takes its words from."""

    rng: Random
    split: Split
    language: Language

    @property
    def chinese(self) -> bool:
        return self.language == "chinese"

    def pick(self, name: str) -> str:
        return self.rng.choice(self.known(name))

    def known(self, name: str) -> tuple[str, ...]:
        own = f"{name}.test"
        return corpus.words(self.language, own if self.split == "test" and corpus.has(self.language, own) else name)

    def several(self, name: str, count: int) -> list[str]:
        """Different ones, fewer where the list is short."""
        known = self.known(name)
        return self.rng.sample(known, min(count, len(known)))

    def labels(self, name: str, count: int) -> list[str]:
        """As `several`; in training many are made up, so that a label's end is seen and not known by heart."""
        known = self.several(name, count)
        if self.split == "test" or self.rng.random() < 0.4:
            return known
        made = [label if self.rng.random() < 0.5 else self._label() for label in known]
        return list(dict.fromkeys(made))

    def _label(self) -> str:
        rng = self.rng
        if self.chinese:
            return f"{self.characters(rng.randint(1, 4))}{rng.choice(('', '', '', rng.randint(1, 9), rng.choice('ABC')))}"
        word = rng.choice((self.invented(), self.pick("words"))).capitalize()
        ends = ("", "", "no.", "name", "of " + self.pick("words"), self.pick("words"), rng.randint(1, 12), rng.choice("ABCDEF"))
        return rng.choice(
            (f"{word} {rng.choice(ends)}".strip(), f"{word} {rng.choice(ends)}".strip(), str(rng.randint(1990, 2035)))
        )

    def title(self) -> str:
        """Of a chart. In training half of them are made up, so that a title is read and not known by heart."""
        if self.split == "train" and self.rng.random() < 0.5:
            return self.phrase(10 if self.chinese else 24)
        return self.pick("titles")

    def word(self) -> str:
        if self.chinese:
            return self.pick("words") if self.rng.random() > _MADE_UP else self.characters(self.rng.randint(1, 5))
        kind = self.rng.random()
        if kind > _MADE_UP:
            return self.pick("words")
        return self.invented() if kind > 0.08 else self.code()

    def invented(self) -> str:
        """A word that sounds like one: `stounda`."""
        rng = self.rng
        return "".join(
            rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS) for _ in range(rng.choice((1, 2, 2, 2, 3)))
        )

    def characters(self, count: int) -> str:
        return "".join(self.rng.choices(chinese(), k=count))

    def code(self) -> str:
        return "".join(self.rng.choices(_LETTERS, k=self.rng.randint(2, 8)))

    def item(self) -> str:
        made_up = self.rng.random() < _MADE_UP
        if not made_up:
            return self.pick("items")
        return (
            self.characters(self.rng.randint(2, 4))
            if self.chinese
            else f"{self.invented().capitalize()}{self.rng.choice(('', ' ' + self.pick('items')))}"
        )

    def items(self, count: int) -> list[str]:
        """`count` different ones."""
        found: dict[str, None] = {}
        while len(found) < count:
            found[self.item()] = None
        return list(found)

    def shop(self) -> str:
        if self.rng.random() > _MADE_UP:
            return self.pick("shops")
        end = self.pick("shop_ends")
        return self.characters(2) + end if self.chinese else f"{self.invented().capitalize()} {end}"

    def person(self) -> str:
        if self.chinese:
            given = self.known("names")
            return self.pick("family") + "".join(self.rng.choices(given, k=self.rng.choice((1, 2, 2))))
        family = self.pick("family") if self.rng.random() > _MADE_UP else self.invented().capitalize()
        return f"{self.pick('given')} {family}"

    def street(self) -> str:
        number = self.rng.randint(1, 399)
        if self.chinese:
            return f"{self.pick('streets')}{number}号"
        street = self.pick("streets") if self.rng.random() > _MADE_UP else f"{self.invented().capitalize()} Street"
        return self.rng.choice((f"{number} {street}", f"{street} {number}"))

    def address(self) -> str:
        if self.chinese:
            return f"{self.pick('cities')}市{self.street()}" if self.rng.random() < 0.6 else self.street()
        return self.rng.choice((self.street(), f"{self.street()}, {self.pick('cities')}"))

    def phrase(self, most: int) -> str:
        """Words, names and numbers, about `most` characters at the longest."""
        if self.chinese:
            return self._chinese_phrase(most)
        parts: list[str] = []
        while not parts or (sum(len(part) + 1 for part in parts) < most - 6 and self.rng.random() < 0.85):
            parts.append(self._part())
        text = " ".join(parts)[:most].strip()
        return self.rng.choice((text, text, text[:1].upper() + text[1:], text.upper(), text.title()))

    def _part(self) -> str:
        rng, kind = self.rng, self.rng.random()
        if kind < 0.72:
            return self.word() + rng.choice(_ENDS)
        if kind < 0.84:
            return str(rng.randint(0, 10 ** rng.randint(1, 5)))
        return rng.choice((self.person, self._money, self._date, self._time, self._quoted, self._mail))()

    def _money(self) -> str:
        form = values.money(self.rng, chinese=self.chinese)
        return form.write(values.price(self.rng, form))

    def _date(self) -> str:
        return values.date(self.rng, chinese=self.chinese)

    def _time(self) -> str:
        return values.time(self.rng)

    def _quoted(self) -> str:
        left, right = self.rng.choice(('""', "()", "''", "[]", "<>", "{}", "**", "//"))
        return f"{left}{self.word()}{right}"

    def _mail(self) -> str:
        return self.rng.choice(
            (
                values.email(self.rng, self.invented()),
                f"{self.rng.randint(1, 99)}%",
                f"{self.word()}-{self.word()}",
                f"{self.word()}_{self.code()}",
            )
        )

    def _chinese_phrase(self, most: int) -> str:
        rng, text = self.rng, ""
        while not text or (len(text) < most - 3 and rng.random() < 0.8):
            kind = rng.random()
            if kind < 0.75:
                text += self.word()
            elif kind < 0.85:
                text += rng.choice("，。！？：、；")
            else:
                text += rng.choice((str(rng.randint(0, 9999)), self._date(), self._money(), self.person(), self.code()))
        return text[:most].strip("，。！？：、；") or self.word()
