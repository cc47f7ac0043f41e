"""Every character that may appear in pictures, asks, thoughts and answers."""

from __future__ import annotations

import string
from functools import cache

from serve.nano.drawing.corpus import Folder, sections

_FILES: tuple[tuple[Folder, str], ...] = (
    ("words", "english"),
    ("words", "chinese"),
    ("asks", "english"),
    ("asks", "chinese"),
    ("asks", "talk"),
    ("asks", "problems"),
)
_MARKS = "€£¥°é×÷–—“”‘’…•·，。！？：；（）《》【】、￥％"
_SAID = (  # Chinese that the program itself puts together
    "一七三上下两个中九二于五人付价份位住元入八公六共写出分列十千单只台右号合名和品商四图圆在地址块型央姓子字学家小工左市师年"
    "店座庭式张形心总成房手数文方日时星是景最月有期机柱标格棕椭橙次款正没灰牌状班生电白百的着矩票称站箱粉系紫红级绩绿编老联背"
    "航色菱蓝行表角计订证话身车边这退邮里量金长间零项题额高黄黑龄"
)


@cache
def characters() -> str:
    """Sorted, each once, the line break included."""
    lines = (line for folder, name in _FILES for section in sections(folder, name).values() for line in section)
    return "".join(sorted({*string.printable[:95], "\n", *_MARKS, *_SAID, *"".join(lines)}))


@cache
def chinese() -> str:
    """The Chinese characters that pictures show."""
    lists = sections("words", "chinese").values()
    shown = {char for lines in lists for line in lines for char in line} | set(_SAID)
    return "".join(sorted(char for char in shown if is_chinese(char)))


def is_chinese(char: str) -> bool:
    return "\u4e00" <= char <= "\u9fff"
