"""Text → Ask: what is asked, apart from what it is asked about.

A passage to be read, quoted words, code in fences, answer options and a system prompt pasted above the question are material: they
count as structure, while the words that decide come from the question itself, which stands at one of the two ends of a long text.
"""

from __future__ import annotations

import re
from typing import NamedTuple

LIMIT = 4000
"""Characters that are looked at; of a longer text its two ends, where people put the ask."""
SHORT = 260
"""Up to this many characters all of the text is the question, whatever stands in it."""
OPENING = 140
CLOSING = 120
PARAGRAPH = 240
"""A last paragraph up to this long is the closing by itself."""

_SPEAKER = re.compile(r"\A\W{0,3}(?:system(?: prompt)?|系统(?:提示|指令|提示词)?)\W{0,3}[:：\]】].*?(?:\buser|用户|\bhuman|提问)\W{0,3}[:：\]】]\s*", re.I | re.S)
_PERSONA = re.compile(
    r"\A(?:\W{0,3}(?:system|系统)\W{0,3}[:：\]】]\s*)?(?:(?:you are (?:a|an|the|our|my|now)\b|you're (?:a|an|the|our|my)\b|your (?:role|task|job) is|act as|as an? [a-z ]{3,60},|always |before (?:you )?answer|"
    r"think (?:very |really )?(?:carefully|hard|deeply)|take your time|answer only after|consider (?:all|every)|reason (?:step|carefully)|你是|您是|作为一|请你?扮演|请?(?:务必)?(?:仔细|认真|深入|慎重)(?:地)?思考|回答(?:之)?前)"
    r"[^.。!！?？\n]{0,300}(?:[.。!！]+\s*|\n+))+",
    re.I,
)
_CODE = re.compile(r"```.*?(?:```|\Z)|\[asy\].*?(?:\[/asy\]|\Z)", re.S)
_TABLE = re.compile(r"\\begin\{(?:tabular|array)\}.*?(?:\\end\{(?:tabular|array)\}|\Z)", re.S)
_INSTRUCTION = re.compile(
    r"\A\W{0,3}(?:please |can you |could you |first, )?(?:(?:summari[sz]e|classify|extract|translate|rewrite|paraphrase|read|write|give|list|identify|find|generate|"
    r"create|make|determine|decide|answer|fix|correct|convert|turn|edit|tell|shorten|given|based on|according to|use|using|from) [^\n]{0,200}"
    r"(?:following|below|above|this|these|given|passage|text|article|review|document|context|paragraph|sentence|dialog|conversation|email|letter|table|list)\b"
    r"|[^\n]{0,160}(?:following|below)\b[^\n]{0,60}|(?:summari[sz]e|translate|rewrite|paraphrase|proofread|classify|tl;?dr|caption|extract|question)[^\n]{0,60}:"
    r"|(?:请|将|把|给|从|根据|为|对|针对|阅读|按照?|用|判断|提取|翻译|总结|概括|改写|分类|找出|以下|下面|如下|这是|基于)[^\n]{0,90})",
    re.I,
)
_QUOTED = re.compile(r"[“「『]([^”」』]{10,}?)[”」』]|\"([^\"]{16,}?)\"|《[^》\n]{1,40}》|<([a-z]+)>.{16,}?</\3>", re.S)
_FIRST_OPTION = re.compile(r"(?:^|[\s(（?？:：。])[(（]?A\s?[)）.．、:：](?=.*?(?:\s|[;；,，。)）])[(（]?B\s?[)）.．、:：])", re.S)
_OPTION = re.compile(r"(?:^|\s)[(（]?[A-H]\s?[)）.．、:：]")
_TEXT_FOLLOWS = re.compile(
    r"\A[^\n。.!！？?]{0,60}(?:(?:以下|下面|下列|如下|给定|这)[^\n。.]{0,12}(?:文本|文章|句子|段落|短文|短评|对话|文段|文字|故事|段话|评论|新闻|材料|邮件|描述|介绍|单词|词语|内容)"
    r"|(?:following|below|this|these|given) (?:\w+ ){0,2}(?:text|article|sentences?|passage|paragraph|review|dialogue?|words|email|story|conversation|message|note)s?\b)[^\n。.!！？?：:]{0,60}[：:。.！!\n？?]\s*",
    re.I,
)
_SENTENCE = re.compile(r"[^\n。！？!?；;.]*(?:[。！？!?；;]+|\.(?!\s|\Z)|\.|\n+|\Z)")


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
    length: int
    """Characters of the whole text."""


def find_ask(text: str) -> Ask:
    """Where `text` asks, of any length; the empty text asks nothing."""
    length = len(text)
    text, preface = _without_preface(_ends(text.strip()))
    text, code = _without_code(text)
    text, options = _without_options(text)
    text, quoted = _without_quotes(text)
    if len(text) <= SHORT:
        follows = _TEXT_FOLLOWS.match(text) if len(text) > 60 else None
        if follows and len(text) - follows.end() > 20:
            return _instructed(follows[0], text[follows.end() :], quoted, code, options, preface, length)
        return Ask("", text, "", quoted, code, options, preface, length)
    opening, material, question = _parts(text)
    if _INSTRUCTION.match(opening):
        closing = question if question.rstrip()[-1:] in "?？:：" or len(question) < 60 else ""
        return Ask("", f"{opening}\n{closing}".strip(), material if closing else material + question, quoted, code, options, preface, length)
    return Ask(opening, question, material, quoted, code, options, preface, length)


def _instructed(opening: str, rest: str, quoted: str, code: str, options: str, preface: str, length: int) -> Ask:
    last = rest.rstrip().rfind("\n")
    closing = rest[last + 1 :] if 0 <= last and len(rest) - last < 80 and rest.rstrip()[-1:] in "?？:：" else ""
    return Ask("", f"{opening}\n{closing}".strip(), rest, quoted, code, options, preface, length)


def _ends(text: str) -> str:
    return text if len(text) <= LIMIT else f"{text[: LIMIT // 2]}\n{text[-LIMIT // 2 :]}"


def _without_preface(text: str) -> tuple[str, str]:
    found = _SPEAKER.match(text) or _PERSONA.match(text)
    if found is None or len(text) - found.end() < 3:
        return text, ""
    return text[found.end() :], found[0]


def _without_code(text: str) -> tuple[str, str]:
    if "\\begin{" in text:
        text = _TABLE.sub(" ⟦table⟧ ", text)
    if "```" not in text and "[asy]" not in text:
        return text, ""
    found = _CODE.search(text)
    if not found:
        return text, ""
    return _CODE.sub(" " if found[0].startswith("[") else " ⟦code⟧ ", text).strip(), found[0]


def _without_options(text: str) -> tuple[str, str]:
    """The stem and the options; a last line that is no option belongs to the stem."""
    found = _FIRST_OPTION.search(text)
    if found is None:
        return text, ""
    stem, options = text[: found.start() + 1], text[found.start() + 1 :]
    lines = options.rsplit("\n", 1)
    if len(lines) == 2 and not _OPTION.match(lines[1]):
        return f"{stem}\n{lines[1]}", lines[0]
    return stem, options


def _without_quotes(text: str) -> tuple[str, str]:
    found = _QUOTED.search(text)
    if found is None:
        return text, ""
    return _QUOTED.sub("⟦quote⟧", text), found[0]


def _parts(text: str) -> tuple[str, str, str]:
    """Opening, material and closing of a long text."""
    first = _SENTENCE.match(text)
    cut = min(first.end() if first else OPENING, OPENING)
    opening, rest = text[:cut], text[cut:]
    start = _closing(rest)
    return opening, rest[:start], rest[start:]


def _closing(rest: str) -> int:
    """Where the closing starts: the last paragraph if it is short, else the last sentences that fit."""
    newline = rest.rstrip(" \n⟦code⟧").rfind("\n")
    if 0 < len(rest) - newline <= PARAGRAPH and len(rest[newline:].strip()) >= 4:
        return newline + 1
    near = max(len(rest) - CLOSING, 0)
    for mark in _SENTENCE.finditer(rest, near):
        if mark.end() < len(rest) - 8:
            return mark.end()
        break
    return near
