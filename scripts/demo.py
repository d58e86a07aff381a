"""What `make demo` does: the pipeline of recipes/demo.toml, then a look at what came of it.

Nothing is made twice: run it again and it shows the same models at once.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from scripts.speech import speaker

ROOT = Path(__file__).resolve().parents[1]
RUNS = Path("runs")

say = speaker(
    {
        "A first talk with the model you have just made:": "与刚刚做好的模型聊几句：",
        "What was measured (95 % interval in brackets):": "测得的结果（括号内为 95 % 置信区间）：",
        "How good is it? {parameters:,} weights that read {tokens:,.0f} tokens in {minutes:.1f} minutes. It has learned "
        "the answers it was taught and some of their rewordings. Ask it anything else and it makes words up: it "
        "knows nothing of the world. More text, more time and a larger preset make it better; the report says by how much.": (
            "它有多好？{parameters:,} 个权重，用 {minutes:.1f} 分钟读了 {tokens:,.0f} 个词元。教过的回答它记住了，换个说法也能答对"
            "一部分；除此以外它会胡编：它对世界一无所知。更多文本、更长时间、更大的预设都会让它变好，报告里写着差距有多大。"
        ),
        "Next:": "接下来：",
        "talk to it": "与它对话",
        "serve it over HTTP": "通过 HTTP 提供服务",
        "open the report": "打开报告",
        "see all of it in a browser": "在浏览器中查看全部",
        "replies that hold the right phrase, questions it was taught": "教过的问题，回答含正确短语的比例",
        "of these, English": "其中英文",
        "of these, Chinese": "其中中文",
        "the same, questions in words it never saw": "同上，换了没见过的说法",
        "the same, before it was taught (base model)": "同上，对话训练之前（基座模型）",
        "bits per byte on held-out text": "留出文本上的每字节比特数",
        "the same text, xz -9e": "同样的文本，xz -9e",
        "the same text, Kneser-Ney 5-gram": "同样的文本，Kneser-Ney 五元模型",
    }
)

EXPECTED = "replies with the expected phrase"
TALK = ("What is a tokenizer?", "Who are you?", "什么是过拟合？", "你是谁？")


def main() -> int:
    """Run the pipeline, then show a talk, the measures, and the next commands."""
    langwright = Path(sys.executable).with_name("langwright")
    code = subprocess.run([langwright, "run", str(ROOT / "recipes" / "demo.toml")], check=False).returncode
    if code:
        return code
    show_talk()
    show_measures()
    print(f"\n{say('Next:')}")
    for words, command in (
        ("talk to it", ".venv/bin/langwright chat runs/chat"),
        ("serve it over HTTP", ".venv/bin/langwright serve runs/chat"),
        ("open the report", str(RUNS / "report" / "report.html")),
        ("see all of it in a browser", ".venv/bin/langwright studio"),
    ):
        print(f"  {say(words)}: {command}")
    return 0


def show_talk() -> None:
    """A few questions and what the model answers, greedily."""
    import langwright

    print(f"\n{say('A first talk with the model you have just made:')}\n")
    with langwright.load(RUNS / "chat") as model:
        for question in TALK:
            print(f"  > {question}\n  {model.chat([{'role': 'user', 'content': question}])}\n")


def show_measures() -> None:
    """The table, from the reports, whichever way the numbers fall."""
    from langwright.artifacts import read_card
    from langwright.measures import Measure, read_report

    def find(report: str, name: str, model: str, language: str = "") -> Measure | None:
        measures = read_report(RUNS / report / "report.json").measures
        named = [measure for measure in measures if measure.name == name and measure.model == model]
        part = f"({language})" if language else ""
        return next((m for m in named if m.data.endswith(part) and ("(" in m.data) == bool(part)), None)

    rows = (
        ("replies that hold the right phrase, questions it was taught", find("chat-trained", EXPECTED, "chat")),
        ("of these, English", find("chat-trained", EXPECTED, "chat", "en")),
        ("of these, Chinese", find("chat-trained", EXPECTED, "chat", "zh")),
        ("the same, questions in words it never saw", find("chat-unseen", EXPECTED, "chat")),
        ("the same, before it was taught (base model)", find("base-unseen", EXPECTED, "base")),
        ("bits per byte on held-out text", find("base-text", "bits per byte", "base")),
        ("the same text, xz -9e", find("base-text", "bits per byte", "conditional xz -9e")),
        ("the same text, Kneser-Ney 5-gram", find("base-text", "bits per byte", "Kneser-Ney 5-gram")),
    )
    missing = [words for words, measure in rows if measure is None]
    assert not missing, f"the reports hold no measure for: {missing}"
    print(say("What was measured (95 % interval in brackets):") + "\n")
    for words, measure in rows:
        if measure is not None:  # said above
            interval = "" if measure.low is None else f"  [{measure.low:.3f}, {measure.high:.3f}]"
            print(f"  {measure.value:7.3f}{interval}  {say(words)}")
    card = read_card(RUNS / "base")
    if card is not None and card.model is not None:
        results = {measure.name: measure.value for measure in card.results}
        print()
        print(
            say(
                "How good is it? {parameters:,} weights that read {tokens:,.0f} tokens in {minutes:.1f} minutes. It has learned "
                "the answers it was taught and some of their rewordings. Ask it anything else and it makes words up: it "
                "knows nothing of the world. More text, more time and a larger preset make it better; the report says by how much.",
                parameters=card.model.parameters,
                tokens=results["tokens trained on"],
                minutes=results["training time"] / 60,
            )
        )


if __name__ == "__main__":
    sys.exit(main())
