"""What the clerk says, in English and in Chinese. Every number in it is filled in from what the bank said."""

from __future__ import annotations

from typing import Literal

Language = Literal["en", "zh"]
SAID: dict[str, dict[Language, str]] = {
    "hello": {"en": "Hello. I can tell you a balance or send money.", "zh": "您好，我可以查询余额或为您转账。"},
    "help": {"en": "I can tell you a balance or send money. What would you like?", "zh": "我可以查询余额或转账，请问您需要什么？"},
    "balance": {"en": "There is {balance} on {account}.", "zh": "{account}的余额是 {balance}。"},
    "whom": {"en": "To whom? I know {people}.", "zh": "转给谁？我知道的有：{people}。"},
    "how much": {"en": "How much shall I send to {to}?", "zh": "要转给{to}多少？"},
    "several": {"en": "One transfer at a time, please: how much, and to whom?", "zh": "请一次只转一笔：转多少，转给谁？"},
    "sure": {"en": "Send {amount} from {account} to {to}? Say yes or no.", "zh": "从{account}转 {amount} 给{to}，确认吗？请说“是”或“否”。"},
    "yes or no": {"en": "Please say yes or no first; nothing was sent.", "zh": "请先说“是”或“否”；还没有转账。"},
    "sent": {"en": "{amount} was sent to {to}. There is {balance} left on {account}.", "zh": "已转 {amount} 给{to}，{account}还有 {balance}。"},
    "cancelled": {"en": "Nothing was sent.", "zh": "没有转账。"},
    "stopped": {"en": "All right, let us leave it.", "zh": "好的，那就不办了。"},
    "short": {"en": "There is only {balance} on {account}; {amount} cannot be sent.", "zh": "{account}只有 {balance}，转不了 {amount}。"},
    "unknown": {"en": "I do not know {to}, and send only to people you have sent to before.", "zh": "我不认识{to}，只能转给您以前转过的人。"},
    "no amount": {"en": "{amount} is no amount that can be sent.", "zh": "{amount} 不是可以转的金额。"},
    "no account": {"en": "There is no account {account}.", "zh": "没有{account}这个账户。"},
    "no transfer": {"en": "There is no such transfer.", "zh": "没有这笔转账。"},
    "done": {"en": "It was sent already.", "zh": "已经转出了。"},
}  # fmt: skip
