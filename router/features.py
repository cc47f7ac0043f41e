"""Ask → features: the words, their neighbours and the shape of what is asked, as strings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from router.lexicon import MEMBERS

if TYPE_CHECKING:
    from router.ask import Ask

_TOKEN = re.compile(r"⟦[a-z]+⟧|[a-z]+(?:'[a-z]+)?|\d+(?:[.,]\d+)*|[\u3400-\u9fff]|\\[a-z]+|\n\n|[^\sa-z0-9]")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_WH = re.compile(r"how (?:many|much|long|far|old|tall|often|do|does|did|can|could|would|should|might|to|is|are)|\\b(?:why|how|what|who|whose|where|when|which)\\b|为什么|为何|怎么|怎样|如何|多少|几|什么|哪[里儿些个]?|谁|是否|吗|求|计算")
_LENGTHS = (8, 16, 32, 64, 128, 256, 512, 1024)
_CODE_LINE = re.compile(r"[;{]\s*$|^\s*(?:def|class|for|if|return|import|#include)\b.*[:;(<]", re.M)


def tokens(text: str) -> list[str]:
    return ["#" if token[0].isdigit() else token for token in _TOKEN.findall(text.lower())]


def features(ask: Ask) -> set[str]:
    words = tokens(ask.question)
    grams = words + [*map(" ".join, zip(words, words[1:]))] + [*map(" ".join, zip(words, words[1:], words[2:]))]
    found = set(grams)
    found.update("^" + w for w in words[:2])
    found.add("^^" + " ".join(words[:2]))
    found.update("$" + w for w in words[-3:])
    if ask.opening:
        first = tokens(ask.opening)
        more = first + [*map(" ".join, zip(first, first[1:]))]
        found.update(more)
        found.add("^^" + " ".join(first[:2]))
        found.add("^" + first[0])
        grams += more
    classes = sorted({c for g in set(grams) if (c := MEMBERS.get(g))})
    counts = {}
    for g in set(grams):
        c = MEMBERS.get(g)
        if c: counts[c] = counts.get(c, 0) + 1
    n = min(len(_NUMBER.findall(ask.question)), 2)
    extra = [f"num{n}"]
    if ask.opening or ask.material: extra.append("MATERIAL")
    if ask.options: extra.append("OPT")
    for c, k in counts.items():
        found.add("K:" + c)
        if k > 1: found.add("K:" + c + "2")
        if k > 3: found.add("K:" + c + "4")
        found.update(f"K:{c} {e}" for e in extra)
    found.update(f"K:{a} K:{b}" for i, a in enumerate(classes) for b in classes[i+1:])
    if not classes: found.add("K:none")
    if ask.quoted:
        found.update("Q:" + w for w in tokens(ask.quoted[:200]))
    if ask.material:
        found.update("M:" + w for w in tokens(ask.material[:400]))
    found.update(shape(ask))
    whs = _WH.findall(ask.question.lower())
    if whs:
        k = sum(len(ask.question) > x for x in (20, 50, 120))
        found.update((f"wh {whs[-1]} num{n}", f"wh {whs[-1]} len{k}", *(f"wh {whs[-1]} {e}" for e in extra), *(f"wh {whs[-1]} K:{c}" for c in classes)))
    return found


def shape(ask: Ask) -> set[str]:
    found = set()
    q = ask.question
    n = len(_NUMBER.findall(q))
    found.add(f"num{min(n, 6)}")
    for k in _LENGTHS:
        if len(q) > k:
            found.add(f"len>{k}")
    if ask.material:
        m = ask.material[:1500]
        found.add("MATERIAL")
        for k in (100, 300):
            if len(ask.material) > k:
                found.add(f"mat>{k}")
        found.add(f"matnum{min(len(_NUMBER.findall(m)), 8)//2}")
        if "\n" in m:
            found.add("matlines")
        if _CODE_LINE.search(m):
            found.add("MATCODE")
    if ask.options:
        o = ask.options
        found.add("OPT")
        d = len(_NUMBER.findall(o))
        found.add(f"optnum{min(d, 5)}")
        found.add("optlong" if len(o) > 120 else "optshort")
        if "$" in o or "\\" in o: found.add("OPTTEX")
    if ask.quoted: found.add("QUOTED")
    if ask.code: found.add("FENCE")
    if ask.preface: found.add("PREFACE")
    if "$" in q or "\\" in q: found.add("TEX")
    if _CODE_LINE.search(q): found.add("CODE")
    e = q.rstrip()[-1:]
    found.add("end" + (e if e in "?？.。:：)）!！" else "w"))
    found.add("lines%d" % min(q.count("\n"), 4))
    return found
