"""The marks by which the parts of a prompt are known, English and Chinese."""
# ruff: noqa: E501, RUF001 - a pattern reads best on one line, and Chinese writes full-width marks

from __future__ import annotations

import re

SPEAKER = re.compile(
    r"\A\W{0,3}(?:system(?: prompt)?|系统(?:提示|指令|提示词)?)\W{0,3}[:：\]】].*?(?:\buser|用户|\bhuman|提问)\W{0,3}[:：\]】]\s*",
    re.IGNORECASE | re.DOTALL,
)
"""A system prompt and its user's turn, pasted as one text."""
PERSONA = re.compile(
    r"\A(?!\W{0,3}(?:before|think|take|answer|consider|reason|请|回答|务必|仔细|认真|深入|慎重)[^.。!！?？\n]{0,120}(?:step[- ]by[- ]step|逐步|一步一?步|分步))"
    r"(?:\W{0,3}(?:system|系统)\W{0,3}[:：\]】]\s*)?(?:(?:you are (?:a|an|the|our|my|now)\b|you're (?:a|an|the|our|my)\b|your (?:role|task|job) is|act as|as an? [a-z ]{3,60},|always |before (?:you )?answer|"
    r"think (?:very |really )?(?:carefully|hard|deeply)|take your time|answer only after|consider (?:all|every)|reason carefully|你是|您是|作为一|请你?扮演|请?(?:务必)?(?:仔细|认真|深入|慎重)(?:地)?思考|回答(?:之)?前)"
    r"[^.。!！?？\n]{0,300}(?:[.。!！]+\s*|\n+))+",
    re.IGNORECASE,
)
"""Who the assistant should be, and advice to think, up to where the ask starts. To think step by step is no advice: it is asked for."""
CODE = re.compile(r"```.*?(?:```|\Z)|\[asy\].*?(?:\[/asy\]|\Z)", re.DOTALL)
"""A fence, or a figure drawn in Asymptote."""
TABLE = re.compile(r"\\begin\{(?:tabular|array)\}.*?(?:\\end\{(?:tabular|array)\}|\Z)", re.DOTALL)
"""A table in LaTeX."""
INSTRUCTION = re.compile(
    r"\A\W{0,3}(?:please |can you |could you |first, )?(?:(?:summari[sz]e|classify|extract|translate|rewrite|paraphrase|read|write|give|list|identify|find|generate|"
    r"create|make|determine|decide|answer|fix|correct|convert|turn|edit|tell|shorten|given|based on|according to|use|using|from) [^\n]{0,200}"
    r"(?:following|below|above|this|these|given|passage|text|article|review|document|context|paragraph|sentence|dialog|conversation|email|letter|table|list)\b"
    r"|[^\n]{0,160}(?:following|below)\b[^\n]{0,60}|(?:summari[sz]e|translate|rewrite|paraphrase|proofread|classify|tl;?dr|caption|extract|question)[^\n]{0,60}:"
    r"|(?:请|将|把|给|从|根据|为|对|针对|阅读|按照?|用|判断|提取|翻译|总结|概括|改写|分类|找出|以下|下面|如下|这是|基于)[^\n]{0,90})",
    re.IGNORECASE,
)
"""An opening that says what to do with what follows."""
QUOTED = re.compile(r"[“「『]([^“「『”」』]{10,600})[”」』]|\"([^\"]{16,600}?)\"|《[^》\n]{1,40}》")
"""Words in quotes that are long enough to be material; titles."""
OPTION = re.compile(r"(?:^|\s)[(（]?(?:[A-H]\s?[)）.．、:：]|[a-h]\s?[)）])")
"""The start of a line that is an answer option."""
TEXT_FOLLOWS = re.compile(
    r"\A[^\n。.!！？?]{0,60}(?:(?:以下|下面|下列|如下|给定|这)[^\n。.]{0,12}(?:文本|文章|句子|段落|短文|短评|对话|文段|文字|故事|段话|评论|新闻|材料|邮件|描述|介绍|单词|词语|内容)"
    r"|(?:following|below|this|these|given) (?:\w+ ){0,2}(?:text|article|sentences?|passage|paragraph|review|dialogue?|words|email|story|conversation|message|note)s?\b)[^\n。.!！？?：:]{0,60}[：:。.！!\n？?]\s*",
    re.IGNORECASE,
)
"""A short instruction that names the text which follows it."""
SENTENCE = re.compile(r"[^\n。！？!?；;.]*(?:[。！？!?；;]+|\.(?!\s|\Z)|\.|\n+|\Z)")
TAG = re.compile(r"<([a-z]+)>")
FIRST_OPTION = re.compile(r"(?:^|[\s(（?？:：。])[(（]?(?:(A)\s?[)）.．、:：]|(a)\s?[)）])")
SECOND_OPTION = re.compile(r"(?:\s|[;；,，。)）])[(（]?(?:B\s?[)）.．、:：]|b\s?[)）])")
# The repeated group with a possessive one inside is not possessive itself: that fails before Python 3.11.5,
# https://github.com/python/cpython/issues/106052
FORM = re.compile(
    r"(?:(?<=[.!?。！？\n:：)）,])|\A)[ \t\"'(]*(?:(?:and |then |finally,? |please )*(?:"
    r"(?:only |just )?(?:reply|respond|answer)(?: only| just)? (?:with|in|using|by|yes|only)\b|answers? (?:only|in)\b|"
    r"(?:you (?:must |should )?|do )?(?:give|provide|put|write|enclose|express|state|output|return|format|round|submit|present|report|end)\b[^.?!\n]{0,40}\b(?:your|the|all|final) (?:final |own |numeric(?:al)? |short )?(?:answers?|response|reply|reasoning)\b|"
    r"restrict (?:your )?answers?\b|your (?:final )?(?:answer|response|reply) (?:should|must|is to|has to|needs)\b|"
    r"(?:do )?not (?:include|add|give|provide|show(?:ing)?|write|use)\b[^.?!\n]{0,20}\b(?:explanations?|text|words|working|else|reasoning|units?)\b|(?:no|without) (?:any )?(?:additional|further|other|extra) (?:text|words|explanations?)|"
    r"(?:you are to |please )?answer (?:all )?(?:the |this |these )?(?:following )?(?:multiple[- ]choice )?questions?(?: below| carefully| with the context given)?(?=[.:\n])|you are to answer the following)"
    r"[^.?!:\n]{0,160}+(?:\.\d+[^.?!:\n]{0,40}+){0,2}(?:[.!:]+(?=\s|\Z|[\"')])|\n|\Z)"
    r"|(?:最后|然后|并|且|首先|请)*(?:(?:只|仅|直接)?(?:用|以|按)[^。？?！!\n，,]{0,16}(?:格式|括号|括起来|【】|形式|单位)[^。？?！!\n，,]{0,16}(?:回答|给出|输出|写出|填写|作答|答案|括起来)?|(?:只|仅)(?:需|要)?(?:回答|输出|填写?|写|回复)[^。？?！!\n，,]{0,14}|先(?:给出|写出|提供)[^。？?！!\n，,]{0,8}(?:答案|推理)[^。？?！!\n，,]{0,4}[，,]?再[^。？?！!\n]{0,12}|(?:首先|先)?提供你的推理[^。？?！!\n]{0,60}|(?:答案|结果)(?:保留|精确|四舍五入|用|写成|写在|放在)[^。？?！!\n，,]{0,20})(?:[。！!；;，,\n]|\Z))",
    re.IGNORECASE,
)
"""A sentence on the form of the answer: it stands beside asks of both kinds, so it says nothing about what is asked."""
FORM_HINTS = (
    "answer",
    "reply",
    "respond",
    "response",
    "reasoning",
    "explanation",
    " text",
    " words",
    "working",
    "答",
    "只",
    "仅",
    "格式",
    "括",
    "推理",
    "保留",
    "精确",
)
"""Parts of words, lower case; without one of them there is no such sentence."""
GREETING = re.compile(
    r"\A(?:\s*(?:<image>|(?:hi|hello|hey|good (?:morning|afternoon|evening)|你好|您好|哈喽|早上好)(?: there| all| everyone)?(?=\W)[,!.，！。~\s]*))+",
    re.IGNORECASE,
)
"""What people say before they ask, and the mark that some clients put where the picture is."""
PARTING = re.compile(
    r"(?:(?<=[?？\n])\s*(?:(?:many )?(?:thanks|thank you|thx)(?: again| a lot| so much| very much)?(?: in advance)?(?: for (?:your|the|any) (?:help|time))?"
    r"|(?:非常|十分|万分)?(?:感谢|谢谢|多谢)(?:您|你|啦|了|大家|各位)?(?:的?帮[助忙])?)[\s.,!。，！~]*"
    r"|(?<=[.!?。！？\n])\s*(?:(?:please |can you |could you |would you )*help(?: me)?(?: out)?(?: with (?:this|it|that)(?: one| question| problem)?)?(?: please)?"
    r"|i (?:really )?need (?:some |your )?help(?: with (?:this|it|that)(?: one| question| problem)?)?"
    r"|any help (?:is|would be|will be) (?:(?:very |much |really |greatly )*)appreciated|please"
    r"|(?:请|麻烦|拜托)*(?:您|你|大家)?帮(?:帮|忙|个忙)?我?(?:看看|看一下|看下|一下)?|拜托(?:大家|您|你)?(?:了|啦)|麻烦(?:大家|您|你)?(?:了|啦))[\s.,!?。，！？~]*)+\Z",
    re.IGNORECASE,
)
"""What people say after they asked; thanks only behind a question or on a line of their own, else they may be all that is said."""
PARTING_LENGTH = 80
"""Characters at the end of a text in which a parting is looked for."""
PARTING_HINTS = ("help", "please", "thank", "thx", "谢", "帮", "拜托", "麻烦")
"""Parts of words, lower case; without one of them there is no parting."""
ASKING_TAGS = frozenset({"question", "problem", "task", "query", "prompt", "exercise", "user"})
POINTER = re.compile(
    r"\W*(?:(?:please |can you |could you |now )*(?:answer|solve|respond to|reply to|do|work out|compute|work on|think about)?"
    r"(?: (?:the|this|these|that|following|quoted|given))*\W*(?:questions?|problems?|exercises?|puzzles?|riddles?|tasks?|it|that|this)?"
    r"(?: (?:in|between|inside|within) (?:the )?(?:quotes|tags|quotation marks|brackets))?(?: below| above)?"
    r"|(?:请|请你|帮我)?(?:回答|解答|解决|做|解|算|答)?(?:一下)?(?:下面|以下|下列|这|引号[中里内]的?|标签[中里内]的?|该)?(?:一?[道个]|的)?(?:问题|题目|题)?)\W*",
    re.IGNORECASE,
)
"""Words that only point at the quoted or tagged text as the thing to do."""
