"""From a sample table to a model: fit one family on the usable rows, export its arrays, fill in the card."""

from __future__ import annotations

import logging
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import landweave
from landweave.errors import ModelError
from landweave.models.band_order import describe_inputs
from landweave.models.inputs import prepare_features
from landweave.models.options import ModelOptions
from landweave.models.predictor import PixelModel
from landweave.models.registry import FitContext, ModelFamily, get_model
from landweave.types import ModelCard, ModelInput, Progress, SampleTable, coarsen_footprint

__all__ = ["fit_model", "train_model"]

_log = logging.getLogger(__name__)

LARGE = 1_000_000
"""Values of training features above which trees are grown on all cores; the forest is the same, small ones only lose time."""


@dataclass(frozen=True)
class _Rows:
    """Usable training rows: features as the estimator sees them, class_index, weight, and which rows they are."""

    features: NDArray[np.float32]
    target: NDArray[np.int64]
    weight: NDArray[np.float64]
    usable: NDArray[np.bool_]


def train_model(
    samples: SampleTable, *, options: ModelOptions, licence: str = "unspecified",
    lineage: Mapping[str, Any] | None = None, metrics: Mapping[str, Mapping[str, float]] | None = None,
    no_locations: bool = False, progress: Progress | None = None,
) -> PixelModel:  # fmt: skip
    """Train a model on all rows of a sample table whose `purpose` is not "reference".

    Args:
        samples: Table with features.
        options: Family, parameters, class weights, what to do with gaps, seed.
        licence: Licence of the model, for its card.
        lineage: More to keep in the card (input checksums, where the samples come from).
        metrics: Cross-validation scores for the card: "random", "spatial" -> name -> value.
        no_locations: Round the card's footprint outward to whole degrees.
        progress: Told of every epoch of a network.

    Returns:
        A model that predicts from arrays alone.

    Raises:
        ModelError: If the family or a parameter is unknown, the table has no features, no usable row, or fewer than two
            classes; or if `options.name` is auto (see `choose_model`).
    """
    if "purpose" in samples.frame and (samples.frame["purpose"] == "reference").any():
        samples = samples.select((samples.frame["purpose"] != "reference").to_numpy())
    family = find_family(options)
    rows = _usable_rows(samples, options)
    card = _make_card(samples, rows, family, options)
    absent = [name for name, n in card.n_samples.items() if n == 0]
    if absent:
        _log.warning("no usable training row of %s: the model never maps it", ", ".join(absent))
    model = _fit(samples, rows, family, options, card, progress=progress)
    extra: dict[str, Any] = {"licence": licence, "metrics": {k: dict(v) for k, v in (metrics or {}).items()}}
    if no_locations and model.card.footprint is not None:
        extra["footprint"] = coarsen_footprint(model.card.footprint)
    card = model.card.model_copy(update={**extra, "lineage": {**model.card.lineage, **(lineage or {})}})
    return PixelModel(card, model.engine, model.columns)


def fit_model(samples: SampleTable, *, options: ModelOptions) -> PixelModel:
    """Train on every row, with a card that holds only what predicting needs; for folds and comparisons.

    Raises:
        ModelError: As `train_model`.
    """
    family = find_family(options)
    rows = _usable_rows(samples, options)
    return _fit(samples, rows, family, options, _plain_card(samples, family, options))


def find_family(options: ModelOptions) -> ModelFamily:
    """Give the family that options name, after checking that it can do what they ask.

    Raises:
        ModelError: If it is unknown, is `auto`, or cannot take NaN where `missing` is native.
    """
    if options.name == "auto":
        raise ModelError("model name is 'auto', which is a choice among families; choose with choose_model first")
    family = get_model(options.name)
    if options.missing == "native" and not family.handles_nan:
        raise ModelError(f"{family.name} cannot take gaps as they are (missing: native); use fill or mask, or one of "
                         "random-forest, extra-trees, catboost")  # fmt: skip
    family.complete(options.params)
    return family


def _usable_rows(samples: SampleTable, options: ModelOptions) -> _Rows:
    if not samples.inputs:
        raise ModelError("sample table has no features; run extract_samples with a cube first")
    if len(samples) == 0:
        raise ModelError("sample table has 0 rows to train on (rows with purpose 'reference' never train); give training rows")
    optional = [i.name for i in samples.inputs if not i.required]
    if optional and options.missing == "fill":
        raise ModelError(f"input {optional[0]!r} is optional, and missing: fill has nothing to fill it from; "
                         "use missing: native or mask")  # fmt: skip
    features, usable = prepare_features(
        samples.to_features(), samples.inputs, missing=options.missing, min_valid_steps=options.min_valid_steps
    )
    target = samples.to_class_index()
    present = np.unique(target[usable])
    if present.size < 2:
        names = [samples.legend.names[i] for i in present]
        raise ModelError(f"{int(usable.sum())} of {len(samples)} samples are usable and hold {present.size} class(es) "
                         f"({', '.join(names) or 'none'}); training needs at least two classes")  # fmt: skip
    weight = samples.frame["weight"].to_numpy(dtype=np.float64) if "weight" in samples.frame else np.ones(len(samples))
    return _Rows(features[usable], target[usable], weight[usable], usable)


def _class_weights(samples: SampleTable, target: NDArray[np.int64], options: ModelOptions) -> Any:
    if options.class_weight is None or options.class_weight == "balanced":
        return options.class_weight
    given = {samples.legend.index_of(name): w for name, w in options.class_weight.items()}
    return {int(k): float(given.get(int(k), 1.0)) for k in np.unique(target)}


def _row_weights(rows: _Rows, family: ModelFamily, class_weight: Any) -> dict[str, NDArray[np.float64]]:
    """Give the keyword arguments of `fit` that carry row weights; none where all are equal."""
    from sklearn.utils.class_weight import compute_sample_weight

    weight = rows.weight
    if family.weights_classes_by_row and class_weight is not None:
        weight = weight * compute_sample_weight(class_weight, rows.target)
    if family.weight_param is None and (class_weight is not None or np.ptp(weight) > 0):
        raise ModelError(f"{family.name} takes neither class weights nor sample weights; drop class_weight and the column "
                         "weight, or use another model such as logistic-regression")  # fmt: skip
    return {} if family.weight_param is None or np.ptp(weight) == 0 else {family.weight_param: weight}


def _fit(
    samples: SampleTable, rows: _Rows, family: ModelFamily, options: ModelOptions, card: ModelCard, *,
    progress: Progress | None = None,
) -> PixelModel:  # fmt: skip
    params = family.complete(options.params)
    weights = _class_weights(samples, rows.target, options)
    extra: dict[str, Any] = {**_row_weights(rows, family, weights)}
    try:
        given = None if family.weights_classes_by_row else weights
        if family.make_for is None:
            estimator = family.make(params, rows.features.shape[1], options.seed, given)
        else:
            estimator = family.make_for(FitContext(params, samples.inputs, options.missing, options.seed, given,
                                                   len(samples.legend), _parents(samples)))  # fmt: skip
            extra["groups"] = _groups(samples, rows)
            if hasattr(estimator, "progress"):  # networks
                estimator.progress = progress
        if rows.features.size > LARGE and family.make_for is None and "n_jobs" in estimator.get_params():
            estimator.set_params(n_jobs=-1)
        estimator.fit(rows.features, rows.target, **extra)
    except (ValueError, TypeError) as err:
        if isinstance(err, ModelError):
            raise
        raise ModelError(f"{family.name} cannot be trained with {params or 'its defaults'}: {err}") from err
    if getattr(estimator, "report_", None):
        card = card.model_copy(update={"lineage": {**card.lineage, "network": estimator.report_}})
    return PixelModel(card, family.export(estimator), tuple(int(c) for c in estimator.classes_))


def _parents(samples: SampleTable) -> tuple[int, ...]:
    """Number the parents of the classes; a class without one is its own. Empty where no class has a parent."""
    names = [c.parent or c.name for c in samples.legend.classes]
    numbers = {name: i for i, name in enumerate(dict.fromkeys(names))}
    return tuple(numbers[n] for n in names) if any(c.parent for c in samples.legend.classes) else ()


def _groups(samples: SampleTable, rows: _Rows) -> NDArray[np.int64] | None:
    """Give the spatial block of each usable row, or its group where all stand on one place; None without groups."""
    from landweave.samples import SplitOptions, block_of

    if "group" not in samples.frame:
        return None
    if samples.frame.crs is None or np.ptp(samples.to_xy("EPSG:4326"), axis=0).max() == 0:
        number = np.unique(samples.frame["group"].to_numpy().astype(str), return_inverse=True)[1]
        return np.asarray(number.reshape(-1)[rows.usable], dtype=np.int64)
    return block_of(samples, SplitOptions())[rows.usable]


def _plain_card(samples: SampleTable, family: ModelFamily, options: ModelOptions) -> ModelCard:
    return ModelCard(
        model=family.name, title=family.title, params=family.complete(options.params), inputs=samples.inputs,
        classes=samples.legend.to_dicts(), features=samples.feature_names, missing=options.missing,
        min_valid_steps=options.min_valid_steps,
    )  # fmt: skip


def _make_card(samples: SampleTable, rows: _Rows, family: ModelFamily, options: ModelOptions) -> ModelCard:
    bands = list(_band_values(samples, rows.usable))
    low, high = _band_spans(bands)
    counts = np.bincount(rows.target, minlength=len(samples.legend))
    return _plain_card(samples, family, options).model_copy(update={
        "p01": low, "p99": high,
        "band_statistics": describe_inputs({spec.name: values for spec, values in bands}),
        "n_samples": {name: int(n) for name, n in zip(samples.legend.names, counts, strict=True)},
        "footprint": _footprint(samples, rows.usable), "dates": _dates(samples, rows.usable),
        "lineage": {"options": options.model_dump(mode="json"), "versions": _versions(family)},
    })  # fmt: skip


def _band_values(samples: SampleTable, usable: NDArray[np.bool_]) -> Iterator[tuple[ModelInput, NDArray[np.float32]]]:
    """Give the values (row and step, band) of each input."""
    flat, at = samples.to_features()[usable], 0
    for spec in samples.inputs:
        width = len(spec.feature_names)
        yield spec, flat[:, at : at + width].reshape(-1, len(spec.bands))
        at += width


def _band_spans(bands: Sequence[tuple[ModelInput, NDArray[np.float32]]]) -> tuple[dict[str, float], dict[str, float]]:
    """Give the 1st and 99th percentile of each band over rows and steps, keyed "<input>.<band>"."""
    low, high = {}, {}
    for spec, series in bands:
        for b, band in enumerate(spec.bands):
            values = series[:, b]
            values = values[~np.isnan(values)]
            if values.size:
                p01, p99 = np.percentile(values.astype(np.float64), [1, 99])
                low[f"{spec.name}.{band}"], high[f"{spec.name}.{band}"] = float(p01), float(p99)
    return low, high


def _footprint(samples: SampleTable, usable: NDArray[np.bool_]) -> tuple[float, float, float, float] | None:
    if samples.frame.crs is None:
        return None
    lonlat = samples.to_xy("EPSG:4326")[usable]
    west, south, east, north = (float(v) for v in (*lonlat.min(axis=0), *lonlat.max(axis=0)))
    return (west, south, east, north) if np.isfinite([west, south, east, north]).all() else None


def _dates(samples: SampleTable, usable: NDArray[np.bool_]) -> tuple[str, str] | None:
    if "time_start" not in samples.frame or "time_end" not in samples.frame:
        return None
    rows = samples.frame[usable]
    first, last = rows["time_start"].min(), rows["time_end"].max()
    if first is None or last is None or first != first or last != last:  # NaT of static samples
        return None
    return first.date().isoformat(), last.date().isoformat()


def _versions(family: ModelFamily) -> dict[str, str]:
    import sklearn

    versions = {"landweave": landweave.__version__, "python": platform.python_version(), "numpy": np.__version__,
                "scikit-learn": str(sklearn.__version__)}  # fmt: skip
    if family.name == "catboost":
        import catboost

        versions["catboost"] = str(catboost.__version__)
    return versions
