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
    "一二三四五六七八九十两零百千个只位于左右上下中间角边央红橙黄绿蓝紫粉棕黑白灰色背景圆形正方三角星菱心椭矩长十字"
    "和在有的图小票表单柱状标题最高项是共合计文字张里这店日期商品名称价格数量电话地址姓名没年月日时分元"
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
