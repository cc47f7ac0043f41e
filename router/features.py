"""Ask → features: the words, their neighbours, their classes and the shape of what is asked, as strings."""
# ruff: noqa: E501 - a pattern reads best on one line, Chinese writes full-width marks

from __future__ import annotations

import re
from itertools import combinations, pairwise
from typing import TYPE_CHECKING

from router.lexicon import MEMBERS

if TYPE_CHECKING:
    from router.ask import Ask

FIRST, LAST = 20, 60
"""Words of a long question that are looked at, from its two ends."""
QUOTED = 160
MATERIAL = 300
OPTIONS = 160
"""Characters of quotes, of material and of options whose words are looked at."""

_TOKEN = re.compile(r"⟦[a-z]+⟧|[a-z]+(?:'[a-z]+)?|\d+(?:[.,:]\d+)*|[\u3400-\u9fff]|\\[a-z]+|\n\n|[^\sa-z0-9]")
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_CODE_LINE = re.compile(r"[;{]$|^[ \t]*(?:def|class|for|if|return|import|#include)\b.*[:;(<]", re.MULTILINE)
_QUESTION_WORD = re.compile(
    r"how (?:many|much|long|far|old|tall|often|do|does|did|can|could|would|should|might|to|is|are)|\b(?:why|how|what|who|whose|where|when|which)\b"
    r"|为什么|为何|怎么|怎样|如何|多少|几|什么|哪[里儿些个]?|谁|是否|吗|求|计算"
)
_MATERIAL_LENGTHS = (100, 300)


def features(ask: Ask) -> set[str]:
    """Everything about `ask` that the scorer weighs; the same ask gives the same set."""
    words = _ends(tokens(ask.question))
    grams = [*_said(words), *_pairs(words), *map(" ".join, zip(words, words[1:], words[2:], strict=False))]
    found = _edges(words)
    if ask.opening:
        first = tokens(ask.opening)
        grams += [*_said(first), *_pairs(first)]
        found.update(["^^" + " ".join(first[:2]), *("^" + word for word in _said(first[:1]))])
    found.update(grams)
    numbers = len(_NUMBER.findall(ask.question))
    setting = _setting(ask, numbers)
    classes = _classes(found)
    found.update(_class_features(classes, setting))
    found.update(_question_words(ask.question, sorted(classes), setting))
    found.update(_shape(ask, numbers))
    found.update(["Q:" + word for word in set(_said(tokens(ask.quoted[:QUOTED])))])
    found.update(["M:" + word for word in set(_said(tokens(ask.material[:MATERIAL])))])
    found.update(_option_words(ask.options))
    return found


def tokens(text: str) -> list[str]:
    """English words, Chinese characters, marks; every number is "#"."""
    return ["#" if token[0].isdigit() else token for token in _TOKEN.findall(text.lower())]


def _ends(words: list[str]) -> list[str]:
    """A long question by its two ends: what stands between costs time and tells little."""
    return words if len(words) <= FIRST + LAST else words[:FIRST] + words[-LAST:]


def _said(words: list[str]) -> list[str]:
    """Without the marks: alone, a mark tells where a prompt comes from, not what it asks."""
    return [word for word in words if word[0].isalnum() or word[0] in "#⟦\\"]


def _pairs(words: list[str]) -> map[str]:
    return map(" ".join, pairwise(words))


def _edges(words: list[str]) -> set[str]:
    return {"^^" + " ".join(words[:2]), *("^" + word for word in _said(words[:2])), *("$" + word for word in _said(words[-3:]))}


def _setting(ask: Ask, numbers: int) -> list[str]:
    """What surrounds the words: a class means another thing beside numbers, under a passage or above options."""
    setting = [f"num{min(numbers, 2)}"]
    if ask.opening or ask.material:
        setting.append("MATERIAL")
    if ask.options:
        setting.append("OPT")
    if ask.code:
        setting.append("FENCE")
    return setting


def _classes(grams: set[str]) -> dict[str, int]:
    """Class → how many of its members were said."""
    counts: dict[str, int] = {}
    for gram in grams:
        name = MEMBERS.get(gram)
        if name is not None:
            counts[name] = counts.get(name, 0) + 1
    return counts


def _class_features(classes: dict[str, int], setting: list[str]) -> list[str]:
    if not classes:
        return ["K:none"]
    found = [f"K:{one} K:{other}" for one, other in combinations(sorted(classes), 2)]
    for name, count in classes.items():
        found.append("K:" + name)
        found += [f"K:{name}{least}" for least in (2, 4) if count >= least]
        found += [f"K:{name} {fact}" for fact in setting]
    return found


def _question_words(question: str, classes: list[str], setting: list[str]) -> list[str]:
    """The last question word, with what stands around it."""
    words = _QUESTION_WORD.findall(question.lower())
    if not words:
        return []
    around = [*setting, *("K:" + name for name in classes)]
    return [f"wh {words[-1]} {fact}" for fact in around]


def _shape(ask: Ask, numbers: int) -> list[str]:
    question = ask.question
    found = [f"num{min(numbers, 6)}"]
    found += [name for name, part in (("QUOTED", ask.quoted), ("FENCE", ask.code), ("PREFACE", ask.preface)) if part]
    if "$" in question or "\\" in question:
        found.append("TEX")
    if _CODE_LINE.search(question):
        found.append("CODE")
    return found + _material_shape(ask.material) + _options_shape(ask.options)


def _material_shape(material: str) -> list[str]:
    if not material:
        return []
    start = material[:1500]
    found = ["MATERIAL", f"matnum{min(len(_NUMBER.findall(start)), 8) // 2}"]
    found += [f"mat>{limit}" for limit in _MATERIAL_LENGTHS if len(material) > limit]
    if "\n" in start:
        found.append("matlines")
    if _CODE_LINE.search(start):
        found.append("MATCODE")
    return found


def _option_words(options: str) -> set[str]:
    """The words of the options, and their classes: what may be answered tells what is asked."""
    if not options:
        return set()
    words = tokens(options[:OPTIONS])
    found = {"O:" + word for word in set(_said(words))}
    found.update("OK:" + name for name in _classes({*words, *_pairs(words)}))
    return found


def _options_shape(options: str) -> list[str]:
    if not options:
        return []
    found = ["OPT", f"optnum{min(len(_NUMBER.findall(options)), 5)}", "optlong" if len(options) > 120 else "optshort"]
    return [*found, "OPTTEX"] if "$" in options or "\\" in options else found
