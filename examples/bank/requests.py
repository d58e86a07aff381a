"""`python -m examples.bank.requests FILE`: requests to learn the intents from, put together from parts, CC0."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

SEED = 7
PER_INTENT = 300
PEOPLE = {"en": ("Bo", "Maria", "Li", "Ada", "Tom", "Nina"), "zh": ("王芳", "李雷", "小明", "张伟", "陈静", "老赵")}
ACCOUNTS = {"en": ("everyday", "savings", "current"), "zh": ("活期", "储蓄", "工资卡")}
PARTS: dict[str, dict[str, tuple[str, ...]]] = {
    "balance": {
        "en": (
            "{hi}how much {is} on my {account} account{now}{q}", "{hi}what is my balance{now}{q}", "{please}show me my balance{now}",
            "{hi}what do I have in {account}{q}", "can you check my {account} account{q}", "{please}tell me how much money I have{now}",
            "balance of {account}{please2}", "how much money is left{now}{q}", "do I still have enough money{q}", "my account balance{please2}",
        ),
        "zh": (
            "{hi}我的{account}还有多少钱{q}", "{hi}查一下余额{q}", "{please}看看我的{account}余额", "我{account}里有多少{q}", "余额是多少{q}",
            "{please}告诉我账户里还剩多少", "帮我查{account}账户", "我还有多少钱{q}", "卡里现在有多少{q}", "{hi}想知道{account}的余额",
        ),
    },
    "transfer": {
        "en": (
            "{hi}send {amount} to {person}{please2}", "{please}transfer {amount} to {person} from {account}", "I want to pay {person} {amount}",
            "can you send {person} {amount}{q}", "{hi}I need to transfer money to {person}", "move {amount} to {person}{now}",
            "{please}pay {amount} to {person}", "{amount} to {person}", "to {person}{please2}", "{amount}{please2}", "wire {person} {amount}",
            "I would like to make a transfer", "give {person} {amount}", "the amount is {amount}", "send it to {person}",
        ),
        "zh": (
            "{hi}给{person}转{amount}元", "{please}从{account}转{amount}给{person}", "我要转账给{person}", "转{amount}块给{person}{q}",
            "我想转一笔钱", "给{person}打{amount}", "{hi}付{person}{amount}元", "帮我汇{amount}给{person}", "转给{person}", "{amount}元", "{amount}",
            "金额是{amount}", "汇款给{person}，{amount}元", "把{amount}转到{person}那里",
        ),
    },
    "confirm": {
        "en": (
            "yes", "yes{please2}", "ok", "okay, do it", "sure", "go ahead", "that is right", "yes, send it", "confirmed", "correct", "yep",
            "please do", "fine, go on", "I confirm", "yes that is correct", "all right, send it now", "do it{now}",
        ),
        "zh": (
            "是", "是的", "好的", "可以", "确认", "没错", "对", "行，转吧", "确定", "好，就这样", "对，没问题", "请转", "同意", "嗯，确认转账",
            "可以，转", "是的，请办理", "没问题",
        ),
    },
    "cancel": {
        "en": (
            "no", "no, stop", "cancel", "cancel that{please2}", "do not send it", "never mind", "forget it", "stop", "no thanks", "leave it",
            "I changed my mind", "wait, do not do it", "not now", "abort the transfer", "no, that is wrong", "please don't",
        ),
        "zh": (
            "不", "不要", "取消", "算了", "不转了", "别转", "不用了", "我改主意了", "等等，先别转", "停", "不对，取消", "先不办了", "否", "不是",
            "撤销转账", "不行，别转", "不，谢谢",
        ),
    },
    "greeting": {
        "en": ("hello", "hi", "good morning", "good evening", "hi there", "hello, anybody there{q}", "hey", "good day to you", "greetings"),
        "zh": ("你好", "您好", "早上好", "晚上好", "在吗{q}", "喂，你好", "哈喽", "下午好", "有人吗{q}"),
    },
    "other": {
        "en": (
            "what is the weather like{now}{q}", "tell me a joke", "who are you{q}", "when do you open{q}", "I lost my card", "where is the next branch{q}",
            "how do I change my password{q}", "can I have a loan{q}", "what is the capital of Norway{q}", "write me a poem", "my card was stolen",
            "what is the interest rate{q}", "thank you", "you are of no help", "I want to open an account", "how old are you{q}",
        ),
        "zh": (
            "今天天气怎么样{q}", "讲个笑话", "你是谁{q}", "几点开门{q}", "我的卡丢了", "最近的网点在哪{q}", "怎么改密码{q}", "可以贷款吗{q}",
            "写首诗", "利率是多少{q}", "谢谢", "你真没用", "我想开个户", "法国的首都是哪里{q}", "卡被偷了", "你几岁了{q}",
        ),
    },
}  # fmt: skip
FILLERS: dict[str, dict[str, tuple[str, ...]]] = {
    "en": {
        "hi": ("", "", "hi, ", "hello, ", "good morning, "), "please": ("", "please ", "could you "), "please2": ("", " please", ", please"),
        "now": ("", "", " now", " today", " at the moment"), "q": ("?", "?", ""), "is": ("is", "is left", "money is"),
    },
    "zh": {
        "hi": ("", "", "你好，", "您好，", "请问"), "please": ("", "请", "麻烦", "帮我"), "please2": ("",), "now": ("",), "q": ("？", "？", "", "呢？"),
        "is": ("",),
    },
}  # fmt: skip


def requests(seed: int = SEED, per_intent: int = PER_INTENT) -> list[dict[str, str]]:
    """Different requests of every intent in both languages, in random order."""
    draw = random.Random(seed)
    rows: list[dict[str, str]] = []
    for intent, by_language in PARTS.items():
        for language, parts in by_language.items():
            seen: set[str] = set()
            for _ in range(per_intent):
                values = {name: draw.choice(choices) for name, choices in FILLERS[language].items()}
                values |= {"person": draw.choice(PEOPLE[language]), "account": draw.choice(ACCOUNTS[language])}
                values["amount"] = draw.choice(
                    (str(draw.randint(1, 5000)), f"{draw.randint(1, 900)}.{draw.randint(10, 99)}")
                )
                text = draw.choice(parts).format(**values)
                text = text.capitalize() if language == "en" and draw.random() < 0.5 else text
                text += draw.choice(("", "", "." if language == "en" else "。")) if text[-1] not in "?？" else ""
                if text not in seen:
                    seen.add(text)
                    rows.append({"text": text, "label": intent, "language": language, "licence": "CC0-1.0"})
    draw.shuffle(rows)
    return rows


if __name__ == "__main__":
    made = requests()
    Path(sys.argv[1]).write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in made), encoding="utf-8")
    print(f"{len(made)} requests in {sys.argv[1]}")
