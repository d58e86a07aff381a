"""The memory of a search: optuna's study in an SQLite file, asked and told by one process alone.

What a trial proposes is a function of the seed, its number and what was told before, so that a search that was
killed and begun again proposes what it would have proposed.

Source    Akiba et al. 2019, arXiv:1907.10902 (optuna: proposals while the program runs, pruning by reported values)
          Bergstra et al. 2011, "Algorithms for Hyper-Parameter Optimization", NeurIPS, section 4 (TPE)
          Bergstra and Bengio 2012, JMLR 13:281 (random search)
          Jamieson and Talwalkar 2016, arXiv:1502.07943; Li et al. 2020, arXiv:1810.05934 (successive halving, asynchronous)
          Hutter, Hoos and Leyton-Brown 2014, "An Efficient Approach for Assessing Hyperparameter Importance", ICML (fANOVA)
"""

from __future__ import annotations

import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, assert_never

from langwright.evaluation.experiments.trials import Better
from langwright.files import write_whole
from langwright.stages.searching.settings import TPE, Grid, Halving, Median, Method, NoPruning, Pruning, RandomSearch
from langwright.stages.searching.space import Space, Values, scalar

if TYPE_CHECKING:
    import optuna

End = Literal["complete", "pruned", "failed"]


class Study:
    """The trials of a search, kept in `folder` as they are."""

    def __init__(self, folder: Path, space: Space, method: Method, pruning: Pruning, better: Better, seed: int) -> None:
        """Open the study of a folder, or begin one."""
        import optuna
        from sqlalchemy.engine import URL

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.space, self.method, self.seed = space, method, seed
        self.lower = better == "lower"
        self.grid = space.grid() if isinstance(method, Grid) else None
        folder.mkdir(parents=True, exist_ok=True)
        file = folder.resolve() / "study.db"
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")  # stays with the file: a commit flushes once, not three times
        url = URL.create("sqlite", database=str(file)).render_as_string()
        self._study = optuna.create_study(
            storage=optuna.storages.RDBStorage(url),
            study_name="search",
            direction="minimize" if better == "lower" else "maximize",
            pruner=pruner(pruning),
            load_if_exists=True,
        )
        write_whole(folder / "manifest.json", b"{}\n")  # from here on there is something to resume with

    @property
    def trials(self) -> list[optuna.trial.FrozenTrial]:
        """Every trial that was begun, in order."""
        import optuna

        return [t for t in self._study.get_trials(deepcopy=False) if t.state != optuna.trial.TrialState.WAITING]

    def unfinished(self) -> list[optuna.trial.Trial]:
        """Trials that were going on when the process ended."""
        import optuna

        running = optuna.trial.TrialState.RUNNING
        return [optuna.trial.Trial(self._study, t._trial_id) for t in self.trials if t.state == running]

    def begin(self) -> optuna.trial.Trial:
        """The next trial."""
        number = len(self.trials)
        with self.proposing(number):
            if self.grid is not None and len(self._study.get_trials(deepcopy=False)) == number:
                self._study.enqueue_trial({key: scalar(value) for key, value in self.grid[number].items()})
            return self._study.ask()

    def propose(self, trial: optuna.trial.Trial) -> Values:
        """The settings of a trial; the same when it is asked again."""
        with self.proposing(trial.number):
            return self.space.propose(trial)

    @contextmanager
    def proposing(self, number: int) -> Iterator[None]:
        """Within the block proposals are those of this number."""
        digest = blake2b(f"{self.seed}/{number}".encode(), digest_size=4).digest()
        self._study.sampler = sampler(self.method, int.from_bytes(digest, "little"))
        yield

    def report(self, trial: optuna.trial.Trial, percent: int, value: float) -> bool:
        """Note a value on the way; whether the trial should be given up."""
        if percent not in self._study.get_trials(deepcopy=False)[trial.number].intermediate_values:
            trial.report(value, percent)
        return bool(trial.should_prune())

    def note(self, trial: optuna.trial.Trial, **facts: Any) -> None:
        """Keep something beside a trial."""
        for name, value in facts.items():
            trial.set_user_attr(name, value)

    def end(self, trial: optuna.trial.Trial, end: End, value: float | None = None) -> None:
        """Close a trial."""
        import optuna

        states = optuna.trial.TrialState
        state = {"complete": states.COMPLETE, "pruned": states.PRUNED, "failed": states.FAIL}[end]
        self._study.tell(trial, value if end == "complete" else None, state=state)

    def importance(self) -> dict[str, float]:
        """Share of the variance of the measure that each setting explains, by fANOVA over the trials that came to the end.

        Empty where that cannot be told: with fewer than four, or where all are equal. Settings that only some
        trials have are left out.
        """
        import optuna

        done = [t for t in self.trials if t.state == optuna.trial.TrialState.COMPLETE]
        if len(done) < FEWEST or len({t.value for t in done}) == 1:
            return {}
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=self.seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of scikit-learn, on forests over few trials
            return {
                k: float(v)
                for k, v in optuna.importance.get_param_importances(self._study, evaluator=evaluator).items()
            }

    def close(self) -> None:
        """Let go of the file."""
        self._study._storage.remove_session()


FEWEST = 4


def sampler(method: Method, seed: int) -> optuna.samplers.BaseSampler:
    """What proposes values."""
    import optuna

    match method:
        case TPE():
            return optuna.samplers.TPESampler(n_startup_trials=method.startup, seed=seed)
        case RandomSearch() | Grid():
            return optuna.samplers.RandomSampler(seed=seed)
    assert_never(method)


def pruner(pruning: Pruning) -> optuna.pruners.BasePruner:
    """What gives trials up. Steps are per cent of a run, so that runs of different length are compared at like points."""
    import optuna

    match pruning:
        case Median():
            return optuna.pruners.MedianPruner(
                n_startup_trials=pruning.startup, n_warmup_steps=round(100 * pruning.from_share)
            )
        case Halving():
            return optuna.pruners.SuccessiveHalvingPruner(
                min_resource=max(1, round(100 * pruning.from_share)), reduction_factor=pruning.reduction
            )
        case NoPruning():
            return optuna.pruners.NopPruner()
    assert_never(pruning)
