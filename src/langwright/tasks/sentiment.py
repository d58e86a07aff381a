"""Sentiment and emotion: how a text feels about what it speaks of, and what its writer feels. Imports nothing heavy.

Both are classification with labels of their own where a person names none; a trained head has those it learned.

Source    Ekman 1992, Cognition and Emotion 6(3-4):169, for the six emotions that are asked for where none are named
"""

from __future__ import annotations

from langwright.tasks.classification import CLASSIFICATION, ClassificationInput, ClassificationOutput, ask
from langwright.tasks.declaration import Task

SENTIMENT = Task(
    name="sentiment",
    summary="Say whether a text speaks well or badly of something",
    dataset="classification",
    input=ClassificationInput,
    output=ClassificationOutput,
    solvers=CLASSIFICATION.solvers,
    measures=CLASSIFICATION.measures,
    templates={
        "en": "Text: {text}\nPossible labels: {labels}\nThe sentiment of the text:",
        "zh": "文本：{text}\n可选标签：{labels}\n这段文本的情感：",
    },
    panel=("text", "labels"),
    lesson="classification",
    ask=ask,
    labels={"en": ("positive", "negative"), "zh": ("正面", "负面")},
    named=frozenset(
        [
            "pos",
            "neg",
            "neu",
            "neutral",
            "mixed",
            "good",
            "bad",
            "积极",
            "消极",
            "中性",
            "中立",
            "好评",
            "差评",
            "中评",
            "正向",
            "负向",
            "正",
            "负",
            "褒义",
            "贬义",
        ]
    ),
)
EMOTION = Task(
    name="emotion",
    summary="Say what the writer of a text feels",
    dataset="classification",
    input=ClassificationInput,
    output=ClassificationOutput,
    solvers=CLASSIFICATION.solvers,
    measures=CLASSIFICATION.measures,
    templates={
        "en": "Text: {text}\nPossible labels: {labels}\nWhat the writer feels:",
        "zh": "文本：{text}\n可选标签：{labels}\n作者的情绪：",
    },
    panel=("text", "labels", "multi_label"),
    lesson="classification",
    ask=ask,
    labels={
        "en": ("joy", "sadness", "anger", "fear", "surprise", "disgust"),
        "zh": ("喜悦", "悲伤", "愤怒", "恐惧", "惊讶", "厌恶"),
    },
    named=frozenset(
        [
            "neutral",
            "happiness",
            "happy",
            "sad",
            "angry",
            "love",
            "trust",
            "anticipation",
            "admiration",
            "amusement",
            "annoyance",
            "approval",
            "caring",
            "confusion",
            "curiosity",
            "desire",
            "disappointment",
            "disapproval",
            "embarrassment",
            "excitement",
            "gratitude",
            "grief",
            "nervousness",
            "optimism",
            "pride",
            "realization",
            "relief",
            "remorse",
            "worry",
            "calm",
            "shame",
            "guilt",
            "平静",
            "中性",
            "无",
            "高兴",
            "快乐",
            "开心",
            "伤心",
            "难过",
            "生气",
            "害怕",
            "担忧",
            "喜欢",
            "喜爱",
            "感激",
            "失望",
            "羞愧",
            "自豪",
        ]
    ),
)
