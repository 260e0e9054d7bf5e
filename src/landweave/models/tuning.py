"""Search for parameters over a stated space, judged under the folds that are given (spatial ones), within minutes.

Receives samples, folds and options; hands on every run as a table and the best options. Runs are kept in optuna's journal in a
folder, so that a search that was stopped or killed goes on where it was. optuna belongs to the extra `deep`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field, ValidationError, model_validator

from landweave.errors import MissingExtraError, ModelError
from landweave.io.files import write_text
from landweave.metrics.accuracy import ScoreName, score_matrix
from landweave.metrics.confusion import count_confusion
from landweave.models.options import ModelOptions
from landweave.models.registry import get_model
from landweave.models.validation import CrossValidation, cross_validate
from landweave.types import Fold, Options, Progress, ProgressEvent, SampleTable

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ParamRange", "TuneOptions", "Tuning", "default_space", "read_space", "tune_model"]

JOURNAL, TABLE, ABOUT = "study.journal", "runs.csv", "tuning.json"
_STUDY = "landweave"


class ParamRange(Options):
    """What one parameter may be: a list of choices, or a range of numbers."""

    choices: tuple[Any, ...] | None = Field(None, description="values to choose among")
    low: float | None = Field(None, description="lowest value")
    high: float | None = Field(None, description="highest value")
    log: bool = Field(False, description="whether to search by orders of magnitude")
    whole: bool = Field(False, description="whole numbers only")

    @model_validator(mode="after")
    def _check(self) -> ParamRange:
        if self.choices is not None:
            if self.low is not None or self.high is not None or len(self.choices) < 2:
                raise ValueError(f"choices are {list(self.choices)}; give two at least, and neither low nor high beside them")
            return self
        if self.low is None or self.high is None or not self.low < self.high:
            raise ValueError(f"range is {self.low} to {self.high}; give choices, or low below high")
        if self.log and self.low <= 0:
            raise ValueError(f"range begins at {self.low} and log is set; a logarithmic one begins above 0")
        return self


class TuneOptions(Options):
    """How to search."""

    minutes: float = Field(10.0, gt=0, description="Time of all runs together, those before an interruption included.")
    max_runs: int | None = Field(None, ge=1, description="Stop after this many runs.")
    metric: Literal["macro_f1", "overall_accuracy"] = Field("macro_f1", description="What is to be high.")
    startup: int = Field(8, ge=1, description="Runs drawn at random before the search learns from them.")
    seed: int = Field(0, ge=0, description="Seed of the search.")


def _numbers(low: float, high: float, *, log: bool = False, whole: bool = False) -> dict[str, Any]:
    return {"low": low, "high": high, "log": log, "whole": whole}


_TREES = {"n_estimators": _numbers(50, 400, whole=True), "max_features": {"choices": ["sqrt", "log2", 0.2, 0.4]},
          "min_samples_leaf": _numbers(1, 20, log=True, whole=True), "max_depth": {"choices": [None, 8, 16]}}  # fmt: skip
_TRAINER = {"learning_rate": _numbers(3e-4, 1e-2, log=True), "weight_decay": _numbers(1e-4, 1e-1, log=True),
            "batch_size": {"choices": [32, 64, 128]}, "dropout": _numbers(0.0, 0.5)}  # fmt: skip
_RBF = {"C": _numbers(0.1, 1000, log=True), "gamma": _numbers(1e-4, 1, log=True)}
_SPACES: Mapping[str, Mapping[str, Any]] = {
    "random-forest": _TREES, "extra-trees": _TREES, "svm": _RBF,
    "catboost": {"iterations": _numbers(50, 600, log=True, whole=True), "learning_rate": _numbers(0.02, 0.4, log=True),
                 "depth": _numbers(3, 8, whole=True), "l2_leaf_reg": _numbers(0.5, 20, log=True)},
    "logistic-regression": {"C": _numbers(1e-3, 1e3, log=True)},
    "mlp": {"alpha": _numbers(1e-5, 1e-1, log=True), "learning_rate_init": _numbers(1e-4, 1e-2, log=True),
            "hidden_layer_sizes": {"choices": [[50], [100], [200], [100, 50]]}},
    "mlp-svm": {**_RBF, "alpha": _numbers(1e-5, 1e-1, log=True)},
    "rotation-forest": {"n_estimators": _numbers(20, 120, whole=True), "subset_size": _numbers(2, 6, whole=True),
                        "min_samples_leaf": _numbers(1, 10, log=True, whole=True)},
    "ltae": {**_TRAINER, "width": {"choices": [32, 64, 128]}, "hidden": {"choices": [32, 64, 128]}},
    "tae": {**_TRAINER, "width": {"choices": [16, 32, 64]}, "hidden": {"choices": [32, 64, 128]}},
    "transformer": {**_TRAINER, "width": {"choices": [32, 48, 96]}, "depth": _numbers(1, 3, whole=True)},
    "tempcnn": {**_TRAINER, "filters": {"choices": [32, 64, 128]}, "kernel": {"choices": [3, 5, 7]}},
    "resnet-1d": {**_TRAINER, "filters": {"choices": [24, 48, 96]}},
    "inception-time": {**_TRAINER, "filters": {"choices": [8, 16, 32]}, "depth": {"choices": [3, 6]}},
    "lstm": {**_TRAINER, "width": {"choices": [32, 64, 128]}, "depth": _numbers(1, 2, whole=True)},
    "gru": {**_TRAINER, "width": {"choices": [32, 64, 128]}, "depth": _numbers(1, 2, whole=True)},
    "deep-mlp": {**_TRAINER, "width": {"choices": [64, 128, 256]}, "depth": _numbers(1, 4, whole=True)},
    "fusion": {k: v for k, v in _TRAINER.items() if k != "dropout"}
    | {"merge": {"choices": ["mean", "concat", "attention", "gated"]}},
}  # fmt: skip


def default_space(name: str) -> dict[str, ParamRange]:
    """Give the space of a family.

    Raises:
        ModelError: If it has none.
    """
    if name not in _SPACES:
        raise ModelError(f"there is no space for {name}; give one with --space, or tune one of {', '.join(sorted(_SPACES))}")
    return {key: ParamRange.model_validate(value) for key, value in _SPACES[name].items()}


def read_space(values: Mapping[str, Any], name: str) -> dict[str, ParamRange]:
    """Check a space that somebody wrote: parameter -> {low, high, log, whole} or a list of choices.

    Raises:
        ModelError: If it is empty, names a parameter that the family lacks, or a range is no range.
    """
    if not values:
        raise ModelError("space is empty; write e.g. n_estimators: {low: 50, high: 400, whole: true}")
    get_model(name).complete(dict.fromkeys(values))  # names what the family does not know
    made = {}
    for key, value in values.items():
        try:
            made[key] = ParamRange.model_validate({"choices": value} if isinstance(value, list) else value)
        except ValidationError as err:
            raise ModelError(f"space of {key}: {err.errors()[0]['msg']}; write a list of choices, or low and high") from err
    return made


@dataclass(frozen=True)
class Tuning:
    """What a search found.

    Attributes:
        options: The best options; those given, where no run was better.
        runs: One row per run: run, state, score, seconds, params (JSON), error. Run 0 is the options as given.
        best: Number of the best run.
        folder: Where the journal and the table are.
    """

    options: ModelOptions
    runs: pd.DataFrame
    best: int
    folder: Path

    def to_lineage(self) -> dict[str, Any]:
        """Give what a model's card keeps: every run."""
        return {"best_run": self.best, "runs": json.loads(self.runs.to_json(orient="records"))}


def tune_model(
    samples: SampleTable, repeats: Sequence[Sequence[Fold]], folder: Path | str, *, options: ModelOptions,
    space: Mapping[str, ParamRange], tuning: TuneOptions | None = None, n_jobs: int = 1, progress: Progress | None = None,
) -> Tuning:  # fmt: skip
    """Search with the tree-structured Parzen estimator (Bergstra et al. 2011, NeurIPS 24) for the highest score of the folds.

    Run 0 is the options as they are, so that the result is never worse than them on these folds. The best of many runs looks
    better than it is: its score here is what it was chosen by, and not one to quote. Run k draws its parameters from (seed, k)
    and the runs before it, whatever was interrupted in between. A run that fails is kept with its error.

    Args:
        samples: Table with features.
        repeats: Spatial folds, as `split_spatial` gives them.
        folder: Where runs are kept; a search that is there goes on.
        options: Family, parameters that stay, seed.
        space: What may change.
        tuning: Minutes, metric, seed.
        n_jobs: Threads that work on folds.
        progress: Told of the seconds used.

    Raises:
        MissingExtraError: If optuna is not installed.
        ModelError: If the folder holds the search of something else, the space names an unknown parameter, or run 0 fails.
    """
    import pandas as pd

    tuning = tuning or TuneOptions.model_validate({})
    if options.name == "auto" or get_model(options.name).uses != "features":
        raise ModelError(f"{options.name} cannot be tuned: name one family that is trained on rows of features")
    get_model(options.name).complete({**options.params, **dict.fromkeys(space)})
    at = Path(folder)
    about = {"model": options.model_dump(mode="json"), "metric": tuning.metric, "seed": tuning.seed, "startup": tuning.startup,
             "space": {k: v.model_dump(mode="json") for k, v in space.items()}, "n_samples": len(samples),
             "folds": _describe_folds(repeats)}  # fmt: skip
    _check_same(at, about)
    study = _open_study(at)
    ranges = _to_optuna(space)
    while not _is_over(study, tuning):
        _run(study, samples, repeats, options, space, ranges, tuning, n_jobs)
        runs = _table(study)
        write_text(at / TABLE, runs.to_csv(index=False, lineterminator="\n"))
        if runs["state"].iloc[0] == "failed":
            raise ModelError(f"run 0, the options as they are, failed: {runs['error'].iloc[0]}; mend them before tuning")
        if progress is not None:
            spent = min(float(runs["seconds"].sum()), 60 * tuning.minutes)
            progress(ProgressEvent("tune", spent, 60 * tuning.minutes, "s"))
    runs = _table(study)
    best = int(pd.to_numeric(runs["score"]).to_numpy(dtype=np.float64, na_value=-np.inf).argmax())
    params = {**options.params, **json.loads(runs["params"].iloc[best])}
    return Tuning(options.model_copy(update={"params": params}), runs, int(runs["run"].iloc[best]), at)


def score_folds(result: CrossValidation, metric: ScoreName) -> float:
    """Give the mean over the repeats of a score of the pooled folds."""
    n = len(result.legend_names)
    return float(np.mean([_score(result, r, metric, n) for r in range(len(result.predicted))]))


def _score(result: CrossValidation, repeat: int, metric: ScoreName, n: int) -> float:
    tested = result.predicted[repeat] >= 0
    return float(score_matrix(count_confusion(result.predicted[repeat][tested], result.truth[tested], n), metric))


def _describe_folds(repeats: Sequence[Sequence[Fold]]) -> str:
    """Give a fingerprint of the folds."""
    from landweave.io.files import sha256_json

    return sha256_json([[f.test.tolist() for f in folds] for folds in repeats])


def _check_same(folder: Path, about: dict[str, Any]) -> None:
    """Note what is searched, or check that the folder's search is the same."""
    from landweave.io.files import read_json, write_json

    path = folder / ABOUT
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_json(path, about)
        return
    before = read_json(path)
    wanted = json.loads(json.dumps(about))
    keys = [k for k in wanted if before.get(k) != wanted[k]]
    if keys:
        said = "; ".join(f"{k} was {before.get(k)!r:.120}, is {wanted[k]!r:.120}" for k in keys)
        raise ModelError(f"{folder} holds another search: {said}. Search with the same options, or name another folder")


def _open_study(folder: Path) -> Any:
    try:
        import optuna
    except ImportError as err:
        raise MissingExtraError("tuning needs the 'deep' extra (package optuna): pip install \"landweave[deep]\"") from err
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    path = str(folder / JOURNAL)
    storage = optuna.storages.JournalStorage(JournalFileBackend(path, lock_obj=JournalFileOpenLock(path)))
    study = optuna.create_study(storage=storage, study_name=_STUDY, direction="maximize", load_if_exists=True)
    for trial in study.trials:
        if trial.state.name == "RUNNING":  # killed in the middle: the same parameters are tried again
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
            if trial.params:
                study.enqueue_trial(trial.params)
    return study


def _to_optuna(space: Mapping[str, ParamRange]) -> dict[str, Any]:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    made: dict[str, Any] = {}
    for name, r in space.items():
        if r.choices is not None:  # by number, since a choice may be a list
            made[name] = CategoricalDistribution(tuple(range(len(r.choices))))
        elif r.whole:
            made[name] = IntDistribution(int(r.low or 0), int(r.high or 0), log=r.log)
        else:
            made[name] = FloatDistribution(float(r.low or 0.0), float(r.high or 0.0), log=r.log)
    return made


def _is_over(study: Any, tuning: TuneOptions) -> bool:
    done = [t for t in study.trials if "seconds" in t.user_attrs]
    if tuning.max_runs is not None and len(done) >= tuning.max_runs:
        return True
    return bool(done) and sum(t.user_attrs["seconds"] for t in done) >= 60 * tuning.minutes


def _run(
    study: Any, samples: SampleTable, repeats: Sequence[Sequence[Fold]], options: ModelOptions,
    space: Mapping[str, ParamRange], ranges: dict[str, Any], tuning: TuneOptions, n_jobs: int,
) -> None:  # fmt: skip
    import optuna

    done = [t for t in study.trials if "seconds" in t.user_attrs]
    number = len(done)
    seed = int(np.random.SeedSequence([tuning.seed, number]).generate_state(1)[0])
    study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=tuning.startup + 1)
    trial = study.ask(ranges if number else {})
    params = {k: _plain(space[k], v) for k, v in trial.params.items()}
    began, error, score = time.perf_counter(), "", None
    try:
        trying = options.model_copy(update={"params": {**options.params, **params}})
        score = score_folds(cross_validate(samples, repeats, options=trying, n_jobs=n_jobs), tuning.metric)
    except (ModelError, ValueError) as err:  # a corner of the space that the family cannot do
        error = str(err)
    for key, value in (("run", number), ("params", params), ("error", error), ("seconds", time.perf_counter() - began)):
        trial.set_user_attr(key, value)
    state = optuna.trial.TrialState
    study.tell(trial, score, state=state.COMPLETE if score is not None else state.FAIL)


def _plain(given: ParamRange, value: Any) -> Any:
    return value if given.choices is None else given.choices[int(value)]


def _table(study: Any) -> pd.DataFrame:
    import pandas as pd

    done = [t for t in study.trials if "seconds" in t.user_attrs]
    rows = [{
        "run": t.user_attrs["run"], "state": "done" if t.value is not None else "failed", "score": t.value,
        "seconds": round(t.user_attrs["seconds"], 2), "params": json.dumps(t.user_attrs["params"]),
        "error": t.user_attrs["error"],
    } for t in done]  # fmt: skip
    return pd.DataFrame(rows, columns=["run", "state", "score", "seconds", "params", "error"])
