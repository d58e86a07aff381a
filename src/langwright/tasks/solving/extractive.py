"""Solving by what stands in the text: methods that need no model, and one that goes by a model's vectors.

The formulas and their sources stand in `tasks.extraction`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from langwright.tasks.declaration import Task, TaskOutput
from langwright.tasks.keywords import Keyword, KeywordsInput, KeywordsOutput
from langwright.tasks.solving.quote import Quote
from langwright.tasks.solving.solvers import Need, Solver
from langwright.tasks.summarization import SummarizationInput, SummaryOutput

if TYPE_CHECKING:
    from langwright.tasks.extraction.keywords import Embed
    from langwright.tasks.front.loading import Model


def extract(name: str, model: Model, task: Task, asked: Any) -> TaskOutput:
    """Keywords or sentences of a text, by the method of a name."""
    if isinstance(asked, KeywordsInput):
        return keywords(name, model, asked)
    return summary(name, model, asked)


def keywords(name: str, model: Model, asked: KeywordsInput) -> KeywordsOutput:
    """The weightiest words and phrases."""
    from langwright.tasks.extraction import keywords as methods
    from langwright.tasks.extraction.background import counted

    if name == "tf-idf":
        found = methods.tf_idf(asked.text, asked.count, counted(asked.background))
    elif name == "textrank":
        found = methods.textrank(asked.text, asked.count)
    elif name == "rake":
        found = methods.rake(asked.text, asked.count)
    else:
        found = methods.by_embedding(asked.text, asked.count, embed_by(model), relevance_share=asked.relevance)
    return KeywordsOutput(
        keywords=tuple(Keyword(text=one.text, score=one.score, places=one.places) for one in found), solver=name
    )


def summary(name: str, model: Model, asked: SummarizationInput) -> SummaryOutput:
    """The sentences that say most, in their order."""
    from langwright.tasks.extraction.summaries import joined
    from langwright.tasks.extraction.summaries import summary as chosen

    embed = embed_by(model) if name == "nearest" else None
    ranking: Any = "lexrank" if name == "nearest" else name
    found = chosen(asked.text, asked.sentences, ranking, embed=embed, relevance_share=asked.relevance)
    return SummaryOutput(
        text=joined(asked.text, found), finish_reason="stop",
        sentences=tuple(Quote.of(asked.text, one.start, one.end) for one in found), solver=name,
    )  # fmt: skip


def embed_by(model: Model) -> Embed:
    """What makes vectors of texts, long ones cut, of length 1."""

    def embed(texts: Sequence[str]) -> Any:
        return model.embed(list(texts), normalise=True, truncate=True)

    return embed


def solver(name: str, summary: str, needs: Need = "nothing") -> Solver:
    """A method as a solver."""
    maker = "langwright predict {task} INPUT" if needs == "nothing" else "langwright finetune MODEL DATASET OUT --task embedding"  # fmt: skip
    solve: Callable[[Model, Task, Any], TaskOutput] = partial(extract, name)
    return Solver(name=name, summary=summary, needs=needs, maker=maker, solve=solve)


TF_IDF = solver("tf-idf", "Phrases that stand often in the text, of words that are rare elsewhere")
TEXTRANK = solver("textrank", "Rank in a graph of words that stand near each other, or of sentences that share words")
RAKE = solver("rake", "Runs of words between stop words, by the company their words keep; made for English")
LEXRANK = solver("lexrank", "Rank in a graph of sentences that are alike by their rarer words")
LEAD = solver("lead", "The first sentences")
NEAREST = solver("nearest", "What lies nearest to the whole text by the model's vectors, and not near to each other", "vectors")  # fmt: skip
