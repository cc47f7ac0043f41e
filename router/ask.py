"""Text → Ask: what is asked, apart from what it is asked about.

A passage to be read, quoted words, code in fences, answer options and a system prompt pasted above the question are material: they
count as structure, while the words that decide come from the question itself, which stands at one of the two ends of a long text.
"""

from __future__ import annotations

from typing import NamedTuple

from router import marks

LIMIT = 4000
"""Characters that are looked at; of a longer text its two ends, where people put the ask."""
SHORT = 260
"""Up to this many characters all of the text is the question, whatever stands in it."""
OPENING = 140
CLOSING = 120
PARAGRAPH = 240
"""A last paragraph up to this long is the closing by itself."""
LEAST_MATERIAL = 20
"""A text that an instruction names has at least this many characters."""
LAST_QUESTION = 80
"""A last line up to this long that ends as a question is part of the ask."""
LEAST_LEFT = 10
"""Where fewer bytes are left beside the form of the answer, the form is the ask: "Answer with the name on the sign". So for courtesies."""
_QUESTION_ENDS = "?？:："  # noqa: RUF001 - Chinese writes full-width marks
_CODE_MARK = "⟦code⟧"
_QUOTE_MARK = "⟦quote⟧"


class Ask(NamedTuple):
    """What a text asks; the strings are parts of the text, not always neighbours."""

    opening: str
    """The first sentence of a long text; of a short one nothing."""
    question: str
    """The words that ask: a short text whole, of a long one its closing sentences."""
    material: str
    """What stands between: a passage, a document, the middle of a long problem."""
    quoted: str
    """The first thing in quotes or tags; the question holds a mark in its place."""
    code: str
    options: str
    preface: str
    """A system prompt, a persona, or advice to think, pasted above the question."""
    form: str
    """What is said about the form of the answer."""
    length: int
    """Characters of the whole text."""


class _Split(NamedTuple):
    opening: str
    question: str
    material: str


def find_ask(text: str) -> Ask:
    """Where `text` asks, of any length; the empty text asks nothing. Time grows with the length up to `LIMIT`, not beyond."""
    length = len(text)
    text, preface = _without_preface(_without_courtesy(_ends(text.strip()).replace("’", "'")))  # noqa: RUF001 - the typographic one
    text, code = _without_code(text)
    text, form = _without_form(text)
    text, options = _without_options(text)
    text, quoted = _without_quotes(text)
    opening, question, material = _short(text) if len(text) <= SHORT else _long(text)
    return Ask(opening, question, material, quoted, code, options, preface, form, length)


def _ends(text: str) -> str:
    return text if len(text) <= LIMIT else f"{text[: LIMIT // 2]}\n{text[-LIMIT // 2 :]}"


def _without_courtesy(text: str) -> str:
    """A greeting, a mark for the picture and a plea for help say nothing about what is asked, unless there is nothing else."""
    if (greeting := marks.GREETING.match(text)) and _is_enough(text[greeting.end() :]):
        text = text[greeting.end() :]
    start = max(len(text) - marks.PARTING_LENGTH, 0)
    lowered = text[start:].lower()
    parting = marks.PARTING.search(text, start) if any(hint in lowered for hint in marks.PARTING_HINTS) else None
    return text[: parting.start()] if parting and _is_enough(text[: parting.start()]) else text


def _is_enough(left: str) -> bool:
    return len(left.encode()) >= LEAST_LEFT


def _without_preface(text: str) -> tuple[str, str]:
    found = marks.SPEAKER.match(text) or marks.PERSONA.match(text)
    if found is None or len(text) - found.end() < 2:
        return text, ""
    return text[found.end() :], found[0]


def _without_code(text: str) -> tuple[str, str]:
    """The text with a mark for each fence; figures drawn in code leave no mark, they belong to the problem."""
    if "\\begin{" in text:
        text = marks.TABLE.sub(" ⟦table⟧ ", text)
    found = marks.CODE.search(text) if "```" in text or "[asy]" in text else None
    if found is None:
        return text, ""
    mark = " " if found[0].startswith("[") else f" {_CODE_MARK} "
    return marks.CODE.sub(mark, text).strip(), found[0]


def _without_form(text: str) -> tuple[str, str]:
    lowered = text.lower()
    if not any(hint in lowered for hint in marks.FORM_HINTS):  # a look for a word costs 50 ns, for the pattern 50 µs
        return text, ""
    said = [found[0] for found in marks.FORM.finditer(text)]
    left = marks.FORM.sub(" ", text).strip() if said else text
    return (left, "".join(said)) if said and _is_enough(left) else (text, "")


def _without_options(text: str) -> tuple[str, str]:
    """The stem and the options; a last line that is no option belongs to the stem."""
    second = marks.SECOND_OPTION.search(text)
    firsts = (
        [found.start(found.lastindex or 0) for found in marks.FIRST_OPTION.finditer(text, 0, second.start() + 1)]
        if second
        else []
    )
    if not firsts:
        return text, ""
    start = max(firsts[-1], 1)
    start -= text[start - 1] in "(（"  # noqa: RUF001 - Chinese writes full-width marks
    stem, options = text[:start], text[start:]
    above, newline, last = options.rpartition("\n")
    return (f"{stem}\n{last}", above) if newline and not marks.OPTION.match(last) else (stem, options)


def _without_quotes(text: str) -> tuple[str, str]:
    """The text with a mark for what is quoted; what is quoted is the ask itself where the rest only points at it."""
    tag = marks.TAG.search(text)
    end = text.find(f"</{tag[1]}>", tag.end()) if tag else -1
    if tag and end > 0:
        before, inner, after = text[: tag.start()], text[tag.end() : end], text[end + len(tag[0]) + 1 :]
        if tag[1] in marks.ASKING_TAGS or marks.POINTER.fullmatch(f"{before} {after}"):
            return f"{before}\n{inner.strip()}\n{after}".strip(), ""
        return f"{before}{_QUOTE_MARK}{after}", text[tag.start() : end]
    found = marks.QUOTED.search(text)
    if found is None:
        return text, ""
    left = marks.QUOTED.sub(_QUOTE_MARK, text)
    if marks.POINTER.fullmatch(left.replace(_QUOTE_MARK, " ")):
        return f"{text[: found.start()]}{(found[1] or found[2] or found[0]).strip()}{text[found.end() :]}", ""
    return left, found[0]


def _short(text: str) -> _Split:
    """A short text is the question whole, unless it names the text that follows."""
    named = marks.TEXT_FOLLOWS.match(text)
    if named is None or len(text) - named.end() <= LEAST_MATERIAL:
        return _Split("", text, "")
    rest = text[named.end() :]
    above, newline, last = rest.rstrip().rpartition("\n")
    asks = bool(newline) and len(last) < LAST_QUESTION and last[-1:] in _QUESTION_ENDS
    return _Split("", f"{named[0]}\n{last if asks else ''}".strip(), above if asks else rest)


def _long(text: str) -> _Split:
    """The first sentence, what stands between, and the closing; an instruction in front is the ask, whatever closes the text."""
    first = marks.SENTENCE.match(text)
    cut = min(first.end() if first else OPENING, OPENING)
    rest = text[cut:]
    start = _closing(rest)
    split = _Split(text[:cut], rest[start:], rest[:start])
    return _instructed(split) if marks.INSTRUCTION.match(split.opening) else split


def _instructed(split: _Split) -> _Split:
    asks = split.question.rstrip()[-1:] in _QUESTION_ENDS or len(split.question) < LAST_QUESTION
    if asks:
        return _Split("", f"{split.opening}\n{split.question}".strip(), split.material)
    return _Split("", split.opening.strip(), split.material + split.question)


def _closing(rest: str) -> int:
    """Where the closing starts: the last paragraph if it is short, else the last sentences that fit."""
    newline = rest.rstrip(f" \n{_CODE_MARK}").rfind("\n")
    if 0 < len(rest) - newline <= PARAGRAPH and len(rest[newline:].strip()) >= 4:
        return newline + 1
    near = max(len(rest) - CLOSING, 0)
    end = next((found.end() for found in marks.SENTENCE.finditer(rest, near)), near)
    return end if end < len(rest) - 8 else near
