"""Words by what they do in an ask, English and Chinese: terms that stand for one another count as one feature.

A class holds words, or phrases of two or three words (Chinese: of up to four characters), as `router.features` joins them.
"""
# ruff: noqa: E501 - a class reads best as the list that it is

from __future__ import annotations

import re

CLASSES: dict[str, str] = {
    "solve": """solve|calculate|compute|evaluate|simplify|determine|find|work out|figure out|add up|estimate|minimum|maximum|derive|prove|show that|verify
        |justify|conclude|deduce|infer|求|计算|算|解方程|证明|推导|推断|推出|推理|算出|求证|求解|化简|论证|判断|推测|验证|解答|算一|估算|最小值|最大值|至少|最多""",
    "quantity": """median|odds|chance|margin|net|gross|tip|owe|owes|owed|budget|break even|per cent|change from|enough|win|lead|total|altogether|in total|in all|left|remain|remains|remaining|each|per|every|half|third|quarter|twice|double|triple|times as|ratio|percentage|percent
        |average|mean|sum|difference|product|probability|profit|cost|costs|paid|spent|spend|earn|earns|save|share|shared|equally|rate|interest|discount|split|extra
        |一共|总共|共有|合计|剩下|还剩|剩余|平均|每天|每小时|每个|每人|每分|每次|分之|比例|百分|概率|倍|利润|打折|折|相差|利息|人均|增长|占|总和|均分|平分|先后|原来|找回|找零|找我|找她|多找|涨幅|跌幅|涨了|降了|实付|到手|满减|券后|平摊|均摊|凑|回本|够买|名次|排第|排名|几成|分期""",
    "amount": """fuel|mileage|consumption|grade|wage|wages|salary|rent|mortgage|loan|deposit|refund|balance|dose|dosage|calories|savings|revenue|turnover|expenses|exchange rate|convert
        |euros|euro|bucks|rolls|bricks|litres|cups|servings|portions|batches|laps|rounds|shifts|payments|instalments|inflation|growth|decline|distance|height|width|depth|weight|round trip|way back|overall
        |油费|油耗|油钱|里程|路程|车速|工资|时薪|房租|月供|首付|贷款|本金|存款|退款|退|押金|剂量|热量|卡路里|汇率|换成|美元|欧元|单价|每斤|营收|支出|花费|用量|来回|往返|单程|攒|省下|够用|份数|水位|浓度|名额|票数|人次|工期|进度""",
    "compare": """more|less|fewer|than|older|younger|taller|higher|lower|faster|slower|longer|shorter|cheaper|bigger|larger|smaller|most|least|highest|lowest|largest
        |smallest|cheapest|greatest|比较|更|多多少|少多少|贵|便宜|划算|最高|最低|最多|最少|最大|最小|多几|少几|差多少|相比|哪个更|合算|性价比|差距|还差|够不够|够吗|来得及""",
    "logic": """if|then|therefore|must|cannot|either|neither|true|false|statement|statements|assumption|conclusion|argument|premise|weaken|weakens|strengthen|strengthens
        |inference|logically|implies|necessarily|liar|lying|truth|suppose|assume|assuming|exactly one|except|consistent|follows|如果|假设|假如|若|则|必然|一定|为真|为假
        |题干|结论|前提|论证|削弱|加强|支持|质疑|反驳|说谎|真话|假话|推论|陈述|命题|矛盾|除非|只有|才能|所有|有些|至少有|不可能|说的是|谁是|据此|类推""",
    "cause": """why|because|reason|reasons|cause|causes|caused|explain why|how come|purpose|factors|consequence|consequences|impact|effect|effects|affect|implications|happen
        |happened|next|motivation|challenges|precautions|benefits|advantages|为什么|为何|原因|导致|因素|后果|影响|意味|意义|目的|作用|用途|好处|挑战|措施|怎么回事|怎么办|可能会|发生|接下来
        |说明了|启示|区别|凭什么|依据|由此|优势|缺点""",
    "modal": """would|could|might|may|should|likely|probably|possible|possibly|potential|appear|seem|seems|suggest|suggests|indicate|indicates|inferred|imagine
        |可能|应该|也许|大概|看起来|是否|能否|适合|建议|合理|推荐|预计|估计|会不会|能不能""",
    "read": """written|write|say|says|said|sign|label|printed|text|word|words|brand|logo|title|phone|telephone|number|address|date|code|caption|headline|read|reads|spell|spelled
        |license|plate|letter|letters|ocr|transcribe|font|heading|footer|name|名字|名称|叫什么|电话|号码|地址|日期|写着|写的|文字|招牌|店名|标题|编号|单位|型号|牌子|品牌|门牌|标语|字样|识别|提取
        |读出|抄|转写|手机号|网址|邮编|姓名|价格|多少钱|营业|楼|层|路|街|区|公司|店|厅|站|号""",
    "look": """color|colour|wearing|holding|standing|sitting|visible|see|background|foreground|left side|right side|shape|animal|dog|cat|man|woman|person|people|boy|girl|car
        |shirt|hat|table|room|weather|facing|position|object|objects|food|颜色|穿|戴|拿着|坐着|站着|左边|右边|背景|形状|动物|男人|女人|男孩|女孩|天气|表情|姿势|位置|手里|旁边|上面|后面|前面
        |物体|物品|衣服|正在""",
    "picture": "image|picture|photo|photograph|figure|scene|screenshot|poster|painting|illustration|图片|图像|照片|画面|图中|这张图|截图|海报|图里|图上|画中",
    "chart": "chart|graph|axis|bar|bars|line graph|pie|plot|curve|trend|histogram|scatter|legend|图表|柱状|折线|饼图|曲线|趋势|坐标|统计图|表格|报表|走势",
    "passage": """passage|article|paragraph|review|document|essay|story|dialogue|conversation|email|news|sentence|sentences|abstract|excerpt|context|transcript|movie|reviewer|viewer|newspaper|bio|plot|dialog|tweet|headline
        |短文|文章|文本|段落|材料|对话|原文|文中|句子|新闻|评论|邮件|故事|这段|段话|全文|上文|下文|课文|摘要|日志""",
    "rewrite": """rewrite|nutshell|sum up|rephrase|paraphrase|translate|translation|summarize|summarise|summary|tldr|shorten|classify|categorize|category|sentiment|proofread|correct|grammar|format
        |convert|extract|list|outline|describe|description|caption|generate|draft|compose|poem|slogan|reply|polish|formal|bullet|json|markdown|csv|latex|translated|spelling
        |改写|润色|翻译|译成|概括|总结|归纳|分类|类别|情感|纠正|改正|格式|转换|抽取|列出|大纲|描述|生成|写一|起草|诗|标语|回复|口语|英文|中文|日语|错别字|标点|排版|整理成|仿写|扩写|缩写|造句|同义""",
    "math": """x|y|z|theta|equation|triangle|circle|rectangle|square|angle|angles|area|perimeter|volume|radius|diameter|polygon|cube|digit|digits|integer|integers|divisor|prime|sequence|function
        |matrix|vector|numbers|parallel|perpendicular|tangent|diagonal|fraction|polynomial|slope|parabola|chord|arc|hexagon|sphere|cone|cylinder|vertex|vertices|midpoint|congruent
        |degrees|exponential|derivative|integral|limit|root|roots|divisible|remainder|multiple|sides|even|odd|函数|方程|数列|三角形|圆|矩形|平行|直线|抛物线|椭圆|双曲线|向量|集合|角|面积|体积|周长|直径|半径|切线
        |斜率|正方形|长方形|菱形|梯形|弧|垂直|平分|中点|质数|整数|奇数|偶数|余数|定义域|单调|导数|极值|顶点|对角线|圆锥|棱|等差|等比|焦点""",
    "puzzle": """gear|gears|clockwise|pulley|lever|mate|mate in|knight|rook|puzzle|pattern|missing|comes next|cube|cubes|dice|die|fold|folded|net|mirror|reflection|rotate|rotated|opposite|symmetry|symmetric|axis of symmetry|pieces|piece
        |matchstick|matchsticks|tile|tiles|stack|stacked|maze|balance|scale|weigh|weighs|grid|overlap|view from|seen from|top view|unfold|jigsaw|tangram|sudoku|chess|checkmate|stand for|cut out
        |齿轮|顺时针|逆时针|杠杆|滑轮|白棋|黑棋|红方|黑方|将军|下哪|走哪步|灯泡|会亮|会灭|不亮|变暗|开关|积木|骰子|折叠|展开图|对称|旋转|规律|拼成|拼图|镜子|俯视|左视|主视|火柴|迷宫|天平|缺少|问号|数独|棋|翻转|剪去|堆""",
    "analysis": """periodic|continuous|convex|concave|increasing|decreasing|zeros|zero of|intercept|asymptote|amplitude|domain|range|maximum value|minimum value|injective|differentiable|bounded|inverse
        |周期|连续|奇函数|偶函数|单调|零点|递增|递减|凹|凸|值域|渐近线|最值|截距""",
    "science": """velocity|speed|acceleration|force|energy|circuit|voltage|current|resistor|resistance|mass|friction|momentum|gravity|pressure|temperature|wavelength|magnetic|electric
        |reaction|solution|acid|ion|ions|molecule|molecules|atom|atoms|electron|compound|element|enzyme|gene|genes|cell|cells|species|population|organism|experiment|hypothesis|concentration|moles
        |predator|ecosystem|food web|photosynthesis|kinetic|torque|spring|pulley|lens|equilibrium|oxidation|速度|加速度|电路|电压|电流|电阻|磁场|溶液|反应|离子|分子|实验|基因|细胞|光合|质量|浓度|摩擦|重力|压强|物块|小球|木块
        |弹簧|滑轮|动能|势能|电荷|电场|氧化|沉淀|元素|化合|酶|染色体|种群|遗传|密度|浮力|透镜|功率|气体""",
    "law": """court|plaintiff|defendant|liable|liability|contract|statute|convicted|guilty|lawsuit|tenant|landlord|tort|negligence|法院|原告|被告|起诉|诉讼|合同|民事|刑事|犯罪|侵权|判决|赔偿|债权|债务|继承|违约|责任|管辖|当事人|构成|罪|权利|义务|交付|请求|公证|股东|担保|抵押|合法|无效|行为人""",
    "illness": """patient|symptom|symptoms|diagnosis|diagnose|treatment|presents|pain|fever|blood|ache|swollen|cough|患者|病人|症状|诊断|治疗|发热|疼痛|咳嗽|血压|岁男|岁女|腹痛|病变|用药""",
    "fault": """bug|debug|error|errors|exception|fails|failing|crash|crashes|traceback|wrong|broken|leak|leaking|stopped|noise|won't|doesn't|not working|stuck|slow|suddenly|intermittent|issue|fault
        |timeout|报错|错误|异常|崩溃|失败|不工作|漏水|故障|坏了|不亮|不转|异响|卡住|没反应|突然|总是|排查|哪里错|有问题|不对|变慢|超时""",
    "code": "function|array|string|algorithm|complexity|python|java|sql|query|loop|recursion|variable|output|input|compile|nums|return|class|regex|script|函数|数组|代码|算法|复杂度|程序|变量|循环|输出|字符串|脚本",
    "plan": "schedule|plan|route|itinerary|budget|constraints|optimal|arrange|order in|seating|assign|trade|fit|afford|enough|安排|行程|路线|预算|方案|座位|排列|顺序|最优|分配|规划|怎么走|怎么安排|选哪|怎么选",
    "time": "hour|hours|minute|minutes|day|days|week|weeks|month|months|year|years|old|ago|later|am|pm|arrive|arrives|depart|leave|leaves|小时|分钟|天|周|月|年|岁|点|出发|到达|几点|今年|明年|提前|后天|多久",
    "unit": "dollars|dollar|cents|miles|mile|km|meters|feet|inches|kg|pounds|gallons|liters|cm|mph|ounces|元|千米|米|厘米|千克|吨|公斤|升|斤|克|公里|平方米|人|个|只|本|件|张|辆|棵|块",
    "chat": "hello|hi|hey|thanks|thank|joke|please|tell me|favorite|good morning|bye|remind|play|music|alarm|your name|你好|谢谢|早上好|再见|笑话|晚安|在吗|您好|讲个|辛苦",
    "brief": "only|just|briefly|directly|one word|single word|short phrase|no explanation|don't explain|without explanation|concise|succinct|直接|只输出|只回答|只需|仅|不用解释|不要解释|无需|简短|简要|一句话|不用算|不用解|别解|不要计算|不做|不求解|do not solve|don't solve|not solve|without solving",
    "person": "he|she|they|his|her|their|friend|friends|brother|sister|mother|father|tom|john|mary|小明|小红|小华|小李|爸爸|妈妈|爷爷|哥哥|弟弟|甲|乙|丙|丁|张某|李某|王某|某人|老师|同学|学生",
}
"""Class name → its members, between bars; a line break inside a class means nothing."""

_PART = re.compile(r"[\u3400-\u9fff]|[^\s\u3400-\u9fff]+")


def _by_member() -> dict[str, str]:
    """Member, its parts joined by spaces → class; a word of two classes stays with the first."""
    table: dict[str, str] = {}
    for name, listed in CLASSES.items():
        for member in map(str.strip, listed.split("|")):
            table.setdefault(" ".join(_PART.findall(member.lower())), name)
    return table


MEMBERS = _by_member()
"""Member → its class."""
