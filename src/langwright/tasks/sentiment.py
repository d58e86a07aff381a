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
)
