"""The cues that `classify` listens for: a pattern in the text, the code that names it, and its weight for (> 0) or against thinking.

English and Chinese. The weights are those of a logistic regression over these patterns, rounded; asks that leave no doubt ("step by
step", "translate", "transcribe", "describe") are set by hand. Strongest first.
"""

from __future__ import annotations

import re
from typing import NamedTuple

BIAS = -1.1
"""What a text without any cue adds up to: a score of 0.25."""


class Cue(NamedTuple):
    reason: str
    weight: float
    pattern: re.Pattern[str]


def _cue(reason: str, weight: float, pattern: str) -> Cue:
    return Cue(reason, weight, re.compile(pattern, re.IGNORECASE | re.MULTILINE))


# One cue a line reads as the table that it is.
# fmt: off
CUES: tuple[Cue, ...] = (
    _cue("step_by_step", 3.0, r"""step[- ]by[- ]step|think (?:carefully|hard|it through)|show your (?:work|reasoning)|(?:一步一步|逐步|分步)(?:地)?(?:推理|思考|解|分析|计算)|仔细思考|写出(?:解题)?过程"""),
    _cue("formula", 1.7, r"""\$[^$\n]+\$|\\(?:frac|sqrt|angle|triangle|mathrm|times|text|left|begin)|[a-z]\s*[=^≤≥<>]\s*-?\d|\d\s*[=+×÷]\s*\d|√|∠|△|⊥|≌|π"""),
    _cue("options", 1.4, r"\s[(（]?B[.、:：)）．]\s*\S"),
    _cue("solve", 1.3, r"""\b(?:solve|calculate|compute|evaluate|simplify|determine|find (?:the|all|out|\$)|work out|how (?:many|much|far|long|old|fast|tall) (?:more|less|fewer|will|would|did|does|do|in total|are left|is left)?)\b|求(?:出|解|证|得)?|计算|解(?:方程|不等式|答)|共(?:有)?多少|还(?:剩|有|要|差)|平均|多多少|少多少|比[^。]{1,12}(?:多|少)"""),
    _cue("why", 1.2, r"""\b(?:why|how come|what (?:would|could|might|can) (?:happen|be|cause|we)|reason(?:s)? (?:for|why|behind)|explain (?:why|how)|cause[sd]?|what challenges?|what (?:factors|steps|precautions|benefits)|how (?:might|could|can|would|does))\b|为什么|原因|可能会?(?:导致|面临|遇到|有|是)|哪些(?:因素|挑战|好处|影响|措施)|什么(?:因素|挑战|影响)|如何(?:影响|解释|确保)|怎么(?:会|办)|意味"""),
    _cue("several_numbers", 1.1, r"(?<!\d)\d++\D++\d++\D++\d"),
    _cue("prove", 2.5, r"""\b(?:prove|proof|derive|deduce|infer(?:red)?|conclude|justify|show that|assum(?:e|ing|ption)|true statement|must be true|logically)\b|证明|推导|推出|推断|论证|假设|陈述|判断(?:是|正确)|结论|为真|不可能|题干|前提"""),
    _cue("fractions", 0.9, r"""\b(?:half|third|quarter|twice|double|triple|ratio|percentage|average|total|sum|difference|probability|remaining|left|altogether|each|per|profit|cost)\b|比例|概率|百分|平均|一共|总共|剩下|每(?:天|小时|个|人|分|次)|分之|倍"""),
    _cue("exam_terms", 0.9, r"""\b(?:velocity|acceleration|force|energy|circuit|voltage|equation|triangle|circle|rectangle|square|angle|area|perimeter|volume|radius|polygon|cube|digit|integer|divisor|prime|sequence|function|graph|matrix|vector|diagram|numbers?)\b|函数|方程|数列|三角形|圆|矩形|平行|直线|抛物线|椭圆|坐标|向量|集合|角|面积|体积|速度|加速度|电路|电压|磁场|溶液|反应|离子|分子|实验|基因|细胞|光合|质量|直径|半径"""),
    _cue("exam_question", 0.8, r"""(?:下列|以下|下面)(?:哪|各|关于|选项|说法|四|叙述|各项|有关)|(?:正确|错误|不正确|恰当)的(?:是|一项|有)|which of the following|which (?:one|statement|answer|option|inference)|(?:is|are|be) (?:true|false|correct)|[(（]\s*[)）]|什么推理|甲|乙|某(?:公司|人|市|校|班|单位|地)|若|设|已知"""),
    _cue("code", 0.5, r"""(?s)\b(?:debug|bug|error|exception|traceback|time complexity|algorithm|leetcode|return (?:the|true|false|an?)\b)|(?:def |class |int |public |void |for ?\(|#include|function ).{0,120}[;{(:]"""),
    _cue("chart", 0.5, r"""\b(?:subtract|add|chart|graph|bar|axis|objects? (?:are|is)? ?left|age gap|years? (?:older|younger)|in the figure|as shown|shown (?:in|below|above|on)|following (?:diagram|figure|question)s?)\b|如图|下图|图中[^。]{0,10}(?:求|多少)|统计"""),
    _cue("lookup", -0.7, r"""^[^。\n]{0,32}(?:是什么|是谁|叫什么|在哪|哪(?:里|个|家|一|年|天|种|些)|什么(?:颜色|时候|时间|名字|品种|牌子|地方)|多少(?:钱|元|号|层|路)?|电话|几(?:点|号|楼|个))[^。\n]{0,10}[?？]?$"""),
    _cue("small_talk", -0.8, r"""^[^\w\n]*(?:hi|hello|hey|thanks|thank you|are you|can you|could you|will you|i (?:want|need|would like|'d like)|tell me|please)\b[^\n]{0,90}$|你好|谢谢|请问你"""),
    _cue("short", -0.9, r"(?s)\A.{0,24}\Z"),
    _cue("lookup", -1.1, r"""^[^\w\n]*(?:what|who|where|when|which|whose) (?:is|are|was|were|does|did|do|year|brand|company|color|colour|kind|type|time|number|date|name)\b[^.\n]{0,70}\?*\s*$"""),
    _cue("rewrite", -1.4, r"""\b(?:rewrite|paraphrase|rephrase|classify|categori[sz]e|spell(?:ing)?|sentiment|synonym|proofread|edit this|generate a (?:title|headline)|story|poem|email|sentence)\b|改写|润色|分类|写一(?:封|篇|首|个|段)|生成一|造句|编辑|列出|文本|文章|句子|对话"""),
    _cue("no_explanation", -1.5, r"""(?:do not|don't|no need to|without) (?:explain|any explanation|reason)|(?:just|only) (?:the|give|answer|output|return|print)|answer (?:with|in|using) (?:a |one )(?:single )?(?:word|phrase)|直接(?:给出|回答|输出)|(?:不要|无需|不用)(?:解释|分析|推理)|只(?:需)?(?:输出|回答|给出)"""),
    _cue("transcribe", -1.8, r"""\b(?:ocr|transcribe|transcription|read (?:out|aloud|the|all|this)|what (?:does|do) (?:it|this|the [\w ]{1,30}) (?:say|read)|(?:what is|what's) written|extract (?:the |all |any )*(?:text|words|fields?|table|number|date|name))|(?:提取|识别|读出|转写|抄写|输出)[^。？?\n]{0,12}(?:文字|文本|字|内容|信息|字段|表格|号码)|写(?:了|着|的是)?(?:什么|啥|哪)|(?:什么|哪几个|几个|哪些)字"""),
    _cue("describe", -1.8, r"""^[^\w\n]*(?:please |can you |could you )?(?:\w+ly )?(?:describe|caption|summari[sz]e|characterize|portray|give (?:me )?(?:a|an) (?:\w+ )?(?:description|summary|caption)|write (?:a|an) (?:\w+ )?(?:caption|description|summary|title)|provide (?:a|an) (?:\w+ )?(?:description|summary|caption))|(?:describe|description of|depicted in|caption for|presented in|focus of|summary of|explain the visual content of) (?:\w+ ){0,3}(?:image|picture|photo|figure|scene)|tl;?dr|描述|概括|总结|摘要|标题|解释图像|(?:图片|图像|照片|图中|画面)(?:里|中|上)?(?:有|是|显示|展示|描绘|描述)(?:了)?(?:什么|哪些)"""),
    _cue("passage_question", -1.8, r"(?s)\A.{260,}[\n。.][^\n。.]{4,80}[?？]\s*\Z"),
    _cue("translate", -5.0, r"""\btranslat(?:e|ion)\b|\bin(?:to)? (?:english|chinese|french|german|spanish|japanese)\b|翻译|译成|译为"""),
)
# fmt: on
