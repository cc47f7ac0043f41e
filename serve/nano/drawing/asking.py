"""Asks as users type them: a phrasing of the kind, in the wanted language, with or without politeness and marks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serve.nano.drawing.corpus import phrasings
from serve.nano.sample import Turn

if TYPE_CHECKING:
    from random import Random

    from serve.nano.drawing.corpus import Language


class Asker:
    """Makes turns in one picture's ask language."""

    def __init__(self, rng: Random, language: Language) -> None:
        self._rng, self.language = rng, language

    @property
    def chinese(self) -> bool:
        return self.language == "chinese"

    def say(self, english: str, chinese: str) -> str:
        return chinese if self.chinese else english

    def turn(self, kind: str, answer: str, thought: str = "", *, ask: str = "", **slots: object) -> Turn:
        """`ask` names the phrasings where they are not those of `kind`."""
        return Turn(self.phrase(ask or kind, **slots), answer, thought, kind)

    def phrase(self, name: str, **slots: object) -> str:
        said = self._rng.choice(phrasings(self.language, name))
        filled = self._fill(said, slots)
        return self._chinese(filled) if self.chinese else self._english(filled, proper=bool(slots))

    def _fill(self, said: str, slots: dict[str, object]) -> str:
        for name, value in slots.items():
            said = said.replace(f"{{{name}}}", str(value))
        return said

    def _polite(self, place: str, ask: str) -> str:
        return self._rng.choice(phrasings(self.language, f"polite_{place}")).format(ask)

    def _english(self, ask: str, *, proper: bool) -> str:
        rng, style = self._rng, self._rng.random()
        if style < 0.1 and ask.split(" ", 1)[0].lower() in phrasings("english", "verbs")[0].split():
            return self._polite("first", ask[:1].lower() + ask[1:])
        if style < 0.16:
            return self._polite("last", ask)
        if style < 0.24:
            return ask.rstrip(".?!") if rng.random() < 0.7 else ask.rstrip(".") + rng.choice("?.!")
        if style < 0.36 and not proper:
            return ask.lower()
        return ask

    def _chinese(self, ask: str) -> str:
        style = self._rng.random()
        if style < 0.12:
            return self._polite("first", ask)
        if style < 0.17:
            return self._polite("last", ask if ask.endswith(("？", "。")) else f"{ask}，")
        return ask.rstrip("？") if style < 0.32 else ask
