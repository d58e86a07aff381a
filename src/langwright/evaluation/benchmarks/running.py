"""Running benchmarks on a model: all questions asked, marked, and made measures, with what guessing gives beside them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from langwright.evaluation.benchmarks.asking import Asker
from langwright.evaluation.benchmarks.declaration import Benchmark, Group, Mean, Metric, Plan
from langwright.evaluation.benchmarks.extraction import extracted
from langwright.evaluation.benchmarks.marking import (
    Likelihood,
    choice_marks,
    likelihood_marks,
    measured,
    rolling_marks,
    written_marks,
)
from langwright.evaluation.benchmarks.questions import Paper, Question, of_row
from langwright.evaluation.measuring.findings import MOST_SHOWN, Item
from langwright.evaluation.measuring.groups import values_apart
from langwright.measures import Measure
from langwright.metrics.choices import guessing
from langwright.metrics.intervals import DRAWS, bootstrap_mean
from langwright.metrics.yardsticks import signed
from langwright.runlog import Progressed, RunLog, Warned

OVER_GROUP = "{how} over {count} benchmarks, {n} questions; interval: {draws} bootstrap draws over questions"
ALIKE, BY_ROWS = "mean of the means", "mean"


@dataclass(frozen=True)
class Sample:
    """One question with its answer and marks.

    said   log-probabilities of choices in nats, or written answers, one for each time it was asked
    taken  extraction -> what was marked of it
    marks  extraction -> metric -> mark
    """

    question: Question
    said: tuple[Any, ...]
    taken: Mapping[str, Any]
    marks: Mapping[str, Mapping[str, Any]]
    cut: bool

    @property
    def asked(self) -> str:
        """What was put to the model."""
        return self.question.contexts[0] if self.question.contexts else self.question.text

    @property
    def expected(self) -> str:
        """What would have been right; several joined by slashes."""
        target = self.question.target
        targets = target if isinstance(target, list) else [target]
        choices = self.question.choices
        return " / ".join(choices[one] if choices else str(one) for one in targets)

    def answer(self, extraction: str) -> str:
        """What the model chose or wrote; nothing where it was only scored."""
        choices = self.question.choices
        if choices:
            said = list(self.said[: len(choices)])
            return choices[said.index(max(said))]
        return str(self.taken[extraction]) if self.taken else ""

    def shown(self) -> dict[str, Any]:
        """The sample as a line of JSON."""
        question = self.question
        return {
            "row": question.number + 1, "asked": list(question.contexts), "choices": list(question.choices),
            "target": question.target, "said": list(self.said), "taken": dict(self.taken), "marks": dict(self.marks),
            "cut": self.cut,
        }  # fmt: skip


@dataclass(frozen=True)
class Result:
    """One benchmark's answers and measures."""

    benchmark: Benchmark
    shots: int
    samples: tuple[Sample, ...]
    main: Mapping[tuple[str, str], Measure] = field(default_factory=dict)  # (extraction, metric) -> over all questions
    beside: tuple[Measure, ...] = ()  # what guessing achieves, and groups of questions

    @property
    def measures(self) -> tuple[Measure, ...]:
        """All measures."""
        return (*self.main.values(), *self.beside)

    @property
    def named(self) -> str:
        """How it is called as data of measures."""
        return self.benchmark.name + (f", {self.shots} examples" if self.shots else "")

    def items(self) -> Iterator[Item]:
        """What was measured of each question, where measures are sums over questions."""
        for extraction in dict.fromkeys(name for name, _ in self.main):
            data = next(measure.data for (name, _), measure in self.main.items() if name == extraction)
            for sample in self.samples:
                found = {metric: weighed(metric, mark) for metric, mark in sample.marks[extraction].items()}
                marks = {self.main[extraction, metric].name: pair for metric, pair in found.items() if pair}
                if marks:
                    yield Item(
                        data=data, name=str(sample.question.number + 1), asked=sample.asked[-MOST_SHOWN:],
                        right=sample.expected, said=sample.answer(extraction)[:MOST_SHOWN], marks=marks,
                    )  # fmt: skip

    @property
    def cut(self) -> int:
        """Questions that lost their beginning because they did not fit the context."""
        return sum(sample.cut for sample in self.samples)


def weighed(metric: str, mark: Any) -> tuple[float, float] | None:
    """What a mark adds to the sum, and its weight; None where the measure is no such sum."""
    if isinstance(mark, (int, float)):
        return None if metric == "perplexity" else (float(mark), 1.0)
    return (-mark[0] / math.log(2), float(mark[1])) if metric == "bits_per_byte" else None


@dataclass
class Counter:
    """Tells the log how many of all questions are answered."""

    log: RunLog
    total: int
    done: int = 0

    def __call__(self, more: int) -> None:
        self.done += more
        self.log.write(Progressed(what="asking", done=self.done, total=self.total))


@dataclass(frozen=True)
class Run:
    """What is common to all benchmarks of a run."""

    asker: Asker
    log: RunLog
    seed: int = 0
    shots: int | None = None
    limit: int | None = None
    spread: bool = False
    papers: dict[str, tuple[Paper, list[Question]]] = field(default_factory=dict)

    def benchmarks(self, plan: Plan, model: str, command: str = "") -> tuple[list[Result], tuple[Measure, ...]]:
        """All results, and all measures: of each benchmark, then of the groups.

        raises  UserError for rows that cannot be asked, before anything is asked
        """
        for benchmark in plan.benchmarks:
            paper = Paper(benchmark, self.shots, self.limit, self.spread)
            self.papers[benchmark.name] = (paper, list(paper.questions()))
        self.asker.told = Counter(self.log, sum(self.count(one) for one in plan.benchmarks))
        self.asker.told(0)
        results = [self.one(benchmark) for benchmark in plan.benchmarks]
        found = [measure for result in results for measure in result.measures]
        for group in plan.groups:
            found += group_measures(group, results, self.seed)
        return results, signed(found, model=model, command=command)

    def count(self, benchmark: Benchmark) -> int:
        """How many answers a benchmark asks for."""
        _, questions = self.papers[benchmark.name]
        if benchmark.output == "generate_until":
            return len(questions) * benchmark.repeats
        if benchmark.output == "loglikelihood_rolling":
            return sum(len(self.asker.text(question.text)) for question in questions)
        return sum(len(question.pairs) for question in questions)

    def one(self, benchmark: Benchmark) -> Result:
        """One benchmark."""
        paper, questions = self.papers[benchmark.name]
        samples = tuple(self.samples(benchmark, questions))
        result = Result(benchmark, paper.shots, samples)
        if result.cut:
            self.log.write(
                Warned(
                    message="{benchmark}: {count} of {all} questions were too long for the context and lost their beginnings",
                    values={"benchmark": benchmark.name, "count": result.cut, "all": len(samples)},
                )
            )
        beside = list(guesses(benchmark, result.named, samples))
        for column in benchmark.by:
            values = [str(sample.question.row.get(column, "")) for sample in samples]
            for name, places in values_apart(column, values):
                part, data = [samples[place] for place in places], f"{result.named} ({name})"
                beside += [*measures_of(benchmark, data, part, self.seed).values(), *guesses(benchmark, data, part)]
        main = measures_of(benchmark, result.named, samples, self.seed)
        return replace(result, main=main, beside=tuple(beside))

    # --- asking ----------------------------------------------------------------------------------

    def samples(self, benchmark: Benchmark, questions: Sequence[Question]) -> Iterable[Sample]:
        """Every question with its answer and marks."""
        if benchmark.output == "generate_until":
            return self.written(benchmark, questions)
        if benchmark.output == "loglikelihood_rolling":
            return self.rolling(benchmark, questions)
        return self.scored(benchmark, questions)

    def scored(self, benchmark: Benchmark, questions: Sequence[Question]) -> Iterable[Sample]:
        """Questions answered by likelihood."""
        asked = []
        for question in questions:
            with of_row(benchmark, question.number):
                asked.append([self.asker.pair(*pair) for pair in question.pairs])
        found = iter(self.asker.likelihoods([one for row in asked for one in row]))
        names = [metric.name for metric in benchmark.metrics]
        for question, row in zip(questions, asked, strict=True):
            mine = [next(found) for _ in row]
            if benchmark.mark is not None:
                marks = dict(benchmark.mark(dict(question.row), harness_answers(benchmark, mine)))
            elif benchmark.output == "multiple_choice":
                marks = choice_marks(question, mine, names)
            else:
                marks = likelihood_marks(mine[0], names)
            said = tuple(one.logprob for one in mine)
            yield Sample(question, said, {}, {"none": marks}, any(one.cut for one in row))

    def rolling(self, benchmark: Benchmark, questions: Sequence[Question]) -> Iterable[Sample]:
        """Running texts."""
        found = self.asker.texts([self.asker.text(question.text) for question in questions])
        names = [metric.name for metric in benchmark.metrics]
        for question, one in zip(questions, found, strict=True):
            if benchmark.mark is not None:
                marks = dict(benchmark.mark(dict(question.row), [one.logprob]))
            else:
                marks = rolling_marks(question.text, one, names)
            yield Sample(question, (one.logprob,), {}, {"none": marks}, False)

    def written(self, benchmark: Benchmark, questions: Sequence[Question]) -> Iterable[Sample]:
        """Questions answered in writing, each as often as the benchmark says."""
        times = benchmark.repeats
        asked = [
            self.asker.prompt(question.contexts[0], benchmark.generation, self.seed + question.number * times + time)
            for question in questions
            for time in range(times)
        ]
        texts = self.asker.write(asked)
        for place, question in enumerate(questions):
            mine = texts[place * times : (place + 1) * times]
            taken = {one.name: extracted(one, mine, question.row) for one in benchmark.extractions}
            marks = {name: self.marked(benchmark, question, answer) for name, answer in taken.items()}
            yield Sample(question, tuple(mine), taken, marks, asked[place * times].cut)

    def marked(self, benchmark: Benchmark, question: Question, answer: Any) -> dict[str, Any]:
        """Marks of one written answer."""
        if benchmark.mark is not None:
            return dict(benchmark.mark(dict(question.row), [answer]))
        return written_marks(answer, question.target, benchmark.metrics)


def harness_answers(benchmark: Benchmark, found: Sequence[Likelihood]) -> list[Any]:
    """Answers as a benchmark's own code expects them: (log-probability, greedy) each."""
    return [(one.logprob, one.greedy) for one in found]


# --- measures ------------------------------------------------------------------------------------


def measures_of(benchmark: Benchmark, data: str, samples: Sequence[Sample], seed: int) -> dict[tuple[str, str], Measure]:  # fmt: skip
    """The measures of some questions of a benchmark, by extraction and metric."""
    found = {}
    for extraction, marks in samples[0].marks.items():
        named = data if extraction == "none" else f"{data} (filter={extraction})"
        for metric in metrics_in(benchmark, marks):
            items = [sample.marks[extraction][metric.name] for sample in samples]
            measure = measured(
                metric, benchmark.output, items, language=benchmark.language, own=benchmark.mark is not None, seed=seed
            )
            found[extraction, metric.name] = measure.model_copy(update={"data": named})
    return found


def guesses(benchmark: Benchmark, data: str, samples: Sequence[Sample]) -> Iterator[Measure]:
    """What guessing achieves, where there are choices."""
    if benchmark.output == "multiple_choice":
        places = [first_of(sample.question.target) for sample in samples]
        for measure in guessing([len(sample.question.choices) for sample in samples], places):
            yield measure.model_copy(update={"data": data})


def first_of(target: int | list[int]) -> int:
    """The place of a right answer."""
    return target[0] if isinstance(target, list) else target


def metrics_in(benchmark: Benchmark, marks: Mapping[str, Any]) -> list[Metric]:
    """The metrics that there are marks of; code may give marks of names that no metric was named for."""
    known = {metric.name: metric for metric in benchmark.metrics}
    giving = next((metric for metric in benchmark.metrics if metric.code is not None), Metric(""))
    return [known[name] if name in known else replace(giving, name=name) for name in marks]


def group_measures(group: Group, results: Sequence[Result], seed: int) -> Iterator[Measure]:
    """Means over a group, of metrics whose marks are numbers."""
    members = [result for result in results if result.benchmark.name in group.members]
    for mean in group.means:
        everywhere = dict.fromkeys(name for result in members for name, _ in result.main)
        for extraction in mean.extractions or everywhere:
            having = [result for result in members if numbers_of(result, mean.metric, extraction)]
            if having:
                marks = [numbers_of(result, mean.metric, extraction) for result in having]
                suffix = "" if extraction == "none" else f" (filter={extraction})"
                found = group_mean(having[0].main[extraction, mean.metric], marks, mean, seed)
                yield found.model_copy(update={"data": group.name + suffix})


def numbers_of(result: Result, metric: str, extraction: str) -> list[float]:
    """The marks of a benchmark's questions; none where they are no numbers, or of another metric."""
    found = [sample.marks.get(extraction, {}).get(metric) for sample in result.samples]
    return [float(one) for one in found if isinstance(one, (int, float))]


def group_mean(like: Measure, marks: Sequence[Sequence[float]], mean: Mean, seed: int) -> Measure:
    """The mean of several benchmarks' marks, each weighing by its questions or all alike."""
    import numpy as np

    flat = [mark for one in marks for mark in one]
    if mean.by_rows:
        value, interval = math.fsum(flat) / len(flat), bootstrap_mean(flat, seed=seed)
        low, high = (interval.low, interval.high) if interval else (None, None)
    else:
        value = math.fsum(math.fsum(one) / len(one) for one in marks) / len(marks)
        drawn_R = np.zeros(DRAWS)
        rng = np.random.default_rng(seed)
        for one in marks:  # each benchmark's questions are drawn among themselves
            drawn_R += np.array(one)[rng.integers(0, len(one), (DRAWS, len(one)))].mean(1) / len(marks)
        low, high = (float(edge) for edge in np.percentile(drawn_R, (2.5, 97.5)))
    method = OVER_GROUP.format(how=BY_ROWS if mean.by_rows else ALIKE, count=len(marks), n=len(flat), draws=DRAWS)
    return like.model_copy(update={"value": value, "low": low, "high": high, "n": len(flat), "method": method, "seed": seed})  # fmt: skip
