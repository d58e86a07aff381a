"""Every sentence of a report has its Chinese twin, and finished sentences find theirs."""

from __future__ import annotations

import ast

import pytest
from tests.evaluation.pipeline import chat_findings, label_findings, text_measures
from tests.house.source import SRC

from langwright.evaluation.baselines.language import NGRAM_BITS_PER_BYTE, XZ_BITS_PER_BYTE
from langwright.evaluation.pages.bilingual import FAMILIES, Words, both, pattern_of, plain, translated
from langwright.metrics import MEASURES
from langwright.wording import chinese, say

EVALUATION = sorted((SRC / "evaluation").glob("*.py"))


def literals_of(tree: ast.Module, call: ast.Call) -> list[str] | None:
    """The texts that the first argument of a call may be."""
    first = call.args[0]
    if isinstance(first, ast.Constant):
        return [first.value]
    if isinstance(first, ast.Name):
        values = [
            n.value for n in ast.walk(tree) if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == first.id
        ]
        return [v.value for v in values if isinstance(v, ast.Constant)] or None
    return None


def test_everything_a_report_says_is_translated():
    missing = []
    for file in EVALUATION:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "both":
                found = literals_of(tree, node)
                if found is None:
                    assert ast.unparse(node) == "both(e.message, **e.values)"  # an event's own template
                    continue
                missing += [f"{file.name}: {text!r}" for text in found if text not in chinese()]
    assert not missing, "\n".join(missing)


def test_every_family_of_measures_has_its_twin():
    assert [t for t in FAMILIES if t not in chinese()] == []


@pytest.mark.parametrize("yardstick", [*MEASURES.values(), NGRAM_BITS_PER_BYTE, XZ_BITS_PER_BYTE])
def test_a_finished_sentence_finds_the_template_it_was_filled_from(yardstick):
    fields = pattern_of(yardstick.method).groupindex
    values = {name: f"{1000 + place}" for place, name in enumerate(fields)}
    finished = yardstick.method.format(**values)
    assert translated(finished) == Words(finished, say(yardstick.method, lang="zh", **values))


def test_measures_as_they_are_taken_are_translated_whole():
    for measure in (*text_measures("base"), *chat_findings("chat")[0], *label_findings("chat")[0]):
        for text in (measure.method, measure.does_not_show, measure.unit):
            assert not text or translated(text).zh != text, text
        assert translated(measure.name).zh != measure.name or measure.name.startswith("distinct")


def test_words_of_ours_inside_a_name_are_translated_and_those_of_others_are_not():
    assert translated("difference in accuracy").zh == "准确率之差"
    assert translated("dropped: too short").zh == "去除：" + chinese()["too short"]
    assert translated("F1 of text").zh == "text 的 F1"  # a label that happens to be a word of ours
    assert translated("no template says this") == plain("no template says this")


def test_a_template_is_filled_in_both_languages_with_words_in_each():
    words = both("{name} ({better})", name=both("accuracy"), better=both("higher is better"))
    assert words == Words("accuracy (higher is better)", "准确率（越高越好）")
    assert words.in_("en") == words.en


def test_html_holds_both_languages_and_nothing_unescaped():
    assert plain("<b>").__html__() == "&lt;b&gt;"
    html = both("Data: {name}", name="<i>").__html__()
    assert (
        html == '<span class="en" lang="en">Data: &lt;i&gt;</span><span class="zh" lang="zh-CN">数据：&lt;i&gt;</span>'
    )
