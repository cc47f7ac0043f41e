"""Asks that leave no doubt: a pattern in the question, the code that names it, and the pool it calls for.

First match decides. Those on what is asked for stay while they are right for 98 of 100 prompts that they speak on (`make eval-routing` shows
the counts); `not_to_solve`, `answer_only` and `step_by_step` are what the user wants, whatever the task would need.
"""
# ruff: noqa: E501, RUF001 - a pattern reads best on one line, and Chinese writes full-width marks

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from router.ask import Ask

Side = Literal["instruct", "thinking"]


class Rule(NamedTuple):
    reason: str
    side: Side
    hints: tuple[str, ...]
    """Parts of words, lower case; without one of them the pattern cannot match (a look for a part costs 50 ns, for a pattern 10 µs)."""
    pattern: re.Pattern[str]

    def speaks_on(self, question: str, lowered: str) -> bool:
        """Whether `question`, given as it is and lower case, asks for what this rule names."""
        return any(hint in lowered for hint in self.hints) and self.pattern.search(question) is not None


def _rule(reason: str, side: Side, hints: str, pattern: str) -> Rule:
    return Rule(reason, side, tuple(hints.split("|")), re.compile(pattern, re.IGNORECASE))


SMALL_TALK = "small_talk"

# fmt: off
RULES: tuple[Rule, ...] = (
    _rule("not_to_solve", "instruct", "not |n't|no |without|unsolved|不|无需|别", r"""(?:\bdo not|\bdon't|no need to|\bwithout) (?:solv|calculat|comput|prov)(?:e|ing|ating)?\b(?!(?s:.*)\b(?:find|determine|compare|decide|prove|show|explain|justify|which|how many|whether|state)\b)|\b(?:should not be solved|(?:is|are) not to be solved)\b|no answer needed|unsolved|(?:不用|不要|无需|不必|(?<![分类区特级个性识差辨判鉴])别)(?:解(?![释决除])|做(?:题|[：:，,。；]|\Z)|算(?!上|入|进)|作答|计算|求解|去算)"""),
    _rule("translate", "instruct", "translat|say|into|turn|render| version|翻|译|怎么说", r"""\btranslate\b(?! (?:the |this |it |each )?(?:triangle|points?\b|graph|figure|shape|polygon|curve|square|vert|parabola|function)| (?:to|into) (?:\w+ )?(?:at|coins|units)\b| by | \d)|\bhow (?:do|would|can) (?:you|i|we|one) say\b|\b(?:put|turn|render)\b.{0,60}\binto (?:english|chinese|french|german|spanish|japanese|italian|korean|russian)\b|\b(?:english|chinese|french|german|spanish|japanese) version|翻译|译成|译为|英译中|中译英|翻成(?:英|中|日|法|德|韩|俄)|用(?:英语|英文|日语|法语|德语|韩语|西班牙语)怎么说"""),
    _rule("transcribe", "instruct", "ocr|transcri|written|say|read |识别|读出|转写|抄", r"""\A\W*(?:please )?ocr (?:this|the)\b|\btranscribe\b|\bread (?:out |aloud )?(?:all )?the (?:text|words|numbers)(?: (?:in|on|from)\b|\W*\Z)|\b(?:what is|what's) written\b|\bwhat does (?:it|this|the) (?:sign|label|text|board|shirt|banner|note|poster|screen) say\b|(?:识别|读出|转写|抄写|照抄)(?:一下)?[^。？?，,\n]{0,10}(?:文字|文本|内容|号码|原文)"""),
    _rule("caption", "instruct", "describe|caption|summari|描述|概括|总结", r"""\A\W*(?:please |can you |could you |briefly )?(?:describe|caption|summari[sz]e) (?:the (?!number|effect|relation|process|algorithm|motion|steps|change)|this\b|what (?!happens|would|will)|in\b|briefly\b|it\b)|\A\W*(?:请)?(?:用一句话|简要|简单|详细)?(?:地)?(?:描述|概括|总结)(?:一下)?(?:这|图|照片|画面|下面|以下)"""),
    _rule("extract", "instruct", "extract|copy|提取|抽取|摘抄", r"""\A\W*(?:please |can you )?(?:extract|copy) (?:the|all|every|each|any)\b|\A\W*(?:请|请你)?(?:从|根据)(?:以下|下面|这|下|给定)[^。？?\n]{0,16}(?:提取|抽取|摘抄)"""),
    _rule("rewrite", "instruct", "phrase|proofread|reformat|polish|fix the|classify|categori|sentiment|改写|润色|错别字|仿写|扩写|写|情感", r"""\A\W*(?:please |can you |could you )?(?:rephrase|paraphrase|proofread|reformat|polish)\b|\bfix the (?:grammar|spelling|typos?)\b|\b(?:classify|categori[sz]e) (?:the|this|these) (?:following )?(?:text|review|news|sentence|article|tweet|comment|headline)|\bsentiment\b|改写(?:句子|这句|这段|下面的句)|润色|错别字|仿写|扩写|(?:写)(?:一)?(?:首|篇|封)[^。？?\n]{0,10}(?:诗|邮件|故事|文案|祝福|通知|广告语|笑话)|情感(?:倾向|分类)"""),
    _rule(SMALL_TALK, "instruct", "hi|hey|hello|thank|bye|good |你好|您好|谢谢|再见|早上好|晚安|晚上好|拜拜", r"""\A\W*(?:hi|hello|hey|thanks|thank you|bye|goodbye|good (?:morning|evening|night))\b[^?\n\d=*^+()/:]{0,24}\Z|\A\W*(?:你好|您好|谢谢|再见|早上好|晚安|晚上好|拜拜)[^？?\n\d=*^+()/：:]{0,8}\Z"""),
    _rule("answer_only", "instruct", "answer|result|expla|think|reason|step|work|just |答案|解释|思考|回答|过程|结果|推理|分析|理由|想太多|报数|就行|直接", r"""(?<!the )(?<!an )\b(?:just|only) (?:give (?:me )?|tell me |say |state |want |need |the )?(?:the )?(?:final )?(?:answer|result)\b|\banswer only\b|\bno (?:explanations?|reasoning)\b|\bno working(?: out| shown| needed| please|,|\.|\Z)|\bwithout (?:any )?(?:explanations?|explaining|reasoning|thinking|working)\b|(?:\A|[.!?;,:\n(]\s*|\bplease |\band |\bbut )(?:do not|don't|no need to) (?:explain|think(?! (?:the|that|it|this|my|your|we|so|i)\b)|reason|show (?:me )?(?:your|the|any) (?:work|working|steps|reasoning))|(?:\A|[.!?\n]\s*)just (?:the|a|one) (?:number|answer|result|letter)\b|\bno steps\b|\bquick answer\b|(?:直接|只需?要?)(?:告诉我|给出?我?|说出?|回答|写出?|要|报)?(?:最终|最后)?的?(?:答案|结果)|直接(?:回答|报数|说选)|一个(?:数字?|字母|答案)就(?:行|好|可以)|(?:不用|不要|无需|不必|(?<![分类区特级个性识差辨判鉴])别)(?:给我)?(?:解释|思考|写过程|推理|分析|想太多|说理由)|不(?:要|用|需要)(?:写|给)?(?:解题)?过程"""),
    _rule("step_by_step", "thinking", "step|think|reason|show|一步|逐步|分步|过程", r"""\A(?!(?s:.*)(?:caption|descri|summar|photo|picture|image|\bsign\b|transcri|letter|first word|图|照片|画|招牌|文字|写着|描述|概括|总结))(?s:.*?)(?:\b(?:think|reason|solve|prove|work|calculate|compute|derive|deduce)\b[^.?!\n]{0,40}\bstep[- ]by[- ]step\b|\bstep[- ]by[- ]step (?:reasoning|solution|calculation|derivation|working|thinking)\b|\blet's think\b|(?<!not )(?<!n't )(?<!to )\bshow (?:your|all|the) (?:work|working|steps|reasoning)\b|(?:逐步|一步一?步|分步)地?(?:推理|思考|推导|计算|求解|解答|分析|想|算|解)|写出(?:详细的?|完整的?)?(?:解题|推理|计算|推导)(?:过程|步骤))"""),
    _rule("prove", "thinking", "prove|show that|求证|证", r"""\A(?![^\n]{0,80}(?:latex|title|topic|typo|format|grammar|read|language)).*(?:\bprove that\b|\bshow that\b.{0,60}[=<>$]|求证[:：]|试证|(?:(?<!申)请|试)证明(?!题))"""),
    _rule("argument", "thinking", "weaken|strengthen|be true|assumption|以下|下列|下面|推出", r"""(?:weaken|strengthen)s? the (?:argument|conclusion)|which[^\n]{0,40}(?:must|cannot|could) be true|assumption (?:on which|required)|(?:以下|下列|下面)(?:哪|各|选项)[^。\n]{0,16}(?:推出|为真|削弱|加强|质疑|假设|前提)|由此可以?推出|据此可以推"""),
)
# fmt: on
_COLON = re.compile("[:：]")
_SECOND_TASK = re.compile(
    r"\bthen\b(?! list)|\b(?:and|or) (?:then )?(?:solve|tell|explain|say|correct|compute|check|find|calculate|decide|work|repair|debug|prove|state|justify|add|sum|derive|determine|total|estimate|compare)|\bwhy\b|\bwhether\b|\bsolve\b|\bhow many\b"
    r"|\bwhose\b|\bwho (?:should|is right)|再|然后|并(?:解|计算|求|说明|判断|找|指|证|算|推|分析)|指出|平均|一共|谁|为什么|解答|求解|哪一步|增幅|是否|之和|验算|求和|相加|coordinates|\bminus\b|discount",
    re.IGNORECASE,
)
"""Words that ask for more than the one thing that a rule heard."""


_WILL = {"not_to_solve", "answer_only"}
"""What the user wants done without: it stands, whatever else is asked."""


def rule_for(ask: Ask) -> Rule | None:
    """The rule that speaks on `ask`, or None. An ask for two things is left to the scorer, but for what is to be left out."""
    question = f"{ask.question}\n{ask.form}" if ask.form else ask.question
    lowered = question.lower()
    spoken = next((rule for rule in RULES if rule.speaks_on(question, lowered)), None)
    if spoken is not None and spoken.reason == "answer_only" and ask.options:
        return None  # "answer with the letter only" is the form of an exam, not a wish
    if spoken is None or spoken.reason in _WILL or spoken.side == "thinking":
        return spoken
    instruction = _COLON.split(ask.question, maxsplit=1)[0]
    asked = instruction if spoken.pattern.search(instruction) else ask.question
    return None if _SECOND_TASK.search(asked) else spoken
