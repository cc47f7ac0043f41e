"""A decision in words, for a terminal: what was taken for the ask, what was set aside, and which features spoke."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from router.ask import find_ask
from router.classify import judge
from router.rules import rule_for
from router.scorer import explain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from router.ask import Ask
    from router.values import Decision, Policy

WIDTH = 100
"""Characters of the ask that are shown."""
_FACTS = {
    "MATERIAL": "beside a passage",
    "OPT": "above answer options",
    "FENCE": "beside code in fences",
    "CODE": "lines of code",
    "MATCODE": "a passage of code",
    "QUOTED": "something in quotes",
    "PREFACE": "a system prompt above it",
    "TEX": "formulas",
    "OPTTEX": "formulas in the options",
    "optlong": "long options",
    "optshort": "short options",
    "matlines": "a passage of several lines",
}
_WHERE = {
    "^^": "starts with",
    "^": "near its start",
    "$": "near its end",
    "Q:": "in quotes",
    "M:": "in the passage",
    "O:": "in the options",
}
_COUNTS = {
    "num": "numbers in it",
    "optnum": "numbers in the options",
    "matnum": "pairs of numbers in the passage",
    "mat>": "characters of passage",
}
_COUNTED = re.compile(r"(num|optnum|matnum|mat>)(\d+)")
_CLASS = re.compile(r"(O?)K:([a-z]+)(\d?)")


def explanation(text: str, policy: Policy) -> str:
    """What is decided about `text`, and why, in some twenty lines."""
    ask, decision = find_ask(text), judge(text, policy)
    return "\n".join([_outcome(decision), *_parts(ask), *_reasons(ask)])


def _outcome(decision: Decision) -> str:
    doubt = ", in doubt" if decision.in_doubt else ""
    return f"{decision.pool}: {decision.reason} ({decision.stage}{doubt}), score {decision.score:.2f}"


def _parts(ask: Ask) -> Iterator[str]:
    yield f"the ask: {_short(' … '.join(part for part in (ask.opening, ask.question) if part))}"
    for name in ("material", "quoted", "code", "options", "preface", "form"):
        if part := getattr(ask, name):
            yield f"set aside as {name}: {_short(part)}"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…"


def _reasons(ask: Ask) -> Iterator[str]:
    if rule := rule_for(ask):
        found = rule.pattern.search(f"{ask.question}\n{ask.form}")
        yield f"the rule {rule.reason} speaks: {_short(found[0]) if found else ''}"
        return
    yield "what spoke, loudest first (log-odds; + for thinking, - for instruct):"
    yield from (f"  {weight:+.2f}  {told(feature)}" for feature, weight in explain(ask))


def told(feature: str) -> str:
    """A feature's name, as `router.features` makes it, in words."""
    if feature.startswith("wh "):
        asked, _, fact = feature.removeprefix("wh ").rpartition(" ")
        return f"asks “{asked}”, {_fact(fact)}"
    if _CLASS.match(feature) or feature in _FACTS or _COUNTED.fullmatch(feature):
        return ", ".join(map(_fact, feature.split(" ")))
    for mark, where in _WHERE.items():
        if feature.startswith(mark) and len(feature) > len(mark):
            return f"{where}: “{feature.removeprefix(mark)}”"
    return f"“{feature}”"


def _fact(part: str) -> str:
    if found := _CLASS.fullmatch(part):
        options, name, count = found.groups()
        return f"{f'at least {count} ' if count else ''}words of {name}{' in the options' if options else ''}"
    if counted := _COUNTED.fullmatch(part):
        least = "no" if counted[2] == "0" else f"at least {counted[2]}"
        return f"{least} {_COUNTS[counted[1]]}"
    return _FACTS.get(part, part)
