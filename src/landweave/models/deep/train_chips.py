"""From cubes and labels to a network that maps: sample chips, train, export, check, fill in the card.

Receives cubes and labels on their output grid; hands on a `ChipModel`, which needs no torch.
"""

from __future__ import annotations

import logging
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import landweave
from landweave.cube import make_inputs
from landweave.errors import ModelError
from landweave.models.band_order import describe_inputs
from landweave.models.chip_model import ChipModel, make_chip_model
from landweave.models.deep.chip_batches import ChipBatches, collate, score_chips
from landweave.models.deep.chip_options import ChipParams, read_params
from landweave.models.deep.export_chips import check_chip_parity, describe_sizes, export_chips
from landweave.models.deep.image_parts import ImageNetwork
from landweave.models.deep.labels import LabelGrid, split_labels
from landweave.models.deep.sampler import ChipSampler, ChipSource, tile_places
from landweave.models.deep.sampler_cache import BlockCache
from landweave.models.deep.trainer import FitResult, fit_network, training
from landweave.models.deep.warm_start import pack_weights, start_from
from landweave.models.options import ModelOptions
from landweave.models.registry import ChipContext, ModelFamily, get_model
from landweave.types import BandStatistics, CubeSet, ModelCard, ModelInput, Progress, Season

__all__ = ["ChipTraining", "TrainedChips", "train_chips"]

log = logging.getLogger(__name__)
_STATISTICS_CHIPS = 48
"""Chips from which mean, spread and percentiles of the bands are taken."""


@dataclass(frozen=True)
class ChipTraining:
    """What training is told besides the options; all of it may be left out.

    Attributes:
        inputs: What the network reads; all cubes by default.
        season: Season that binds the model to day offsets, where `inputs` are left out.
        cache: Decoded blocks shared with other trainings on the same sources.
        licence: For the card.
        lineage: More for the card.
        metrics: Scores for the card.
        progress: Called after every epoch.
    """

    inputs: tuple[ModelInput, ...] | None = None
    season: Season | None = None
    cache: BlockCache | None = None
    licence: str = "unspecified"
    lineage: Mapping[str, Any] | None = None
    metrics: Mapping[str, Mapping[str, float]] | None = None
    progress: Progress | None = None


@dataclass(frozen=True)
class TrainedChips:
    """A trained network and how training went.

    Attributes:
        model: Maps chips.
        fit: History, best epoch, seconds.
        n_parameters: Weights of the network.
        parity: Largest difference of a probability between torch and the exported network.
    """

    model: ChipModel
    fit: FitResult
    n_parameters: int
    parity: float


@dataclass(frozen=True)
class _Statistics:
    """Per input, over valid pixels: mean, standard deviation, first and last percentile of each band; their covariance."""

    mean: dict[str, NDArray[np.float64]]
    std: dict[str, NDArray[np.float64]]
    p01: dict[str, NDArray[np.float64]]
    p99: dict[str, NDArray[np.float64]]
    together: dict[str, BandStatistics]


def train_chips(
    cubes: CubeSet | Sequence[CubeSet], labels: LabelGrid | Sequence[LabelGrid], *, options: ModelOptions,
    setting: ChipTraining | None = None,
) -> TrainedChips:  # fmt: skip
    """Train an image network on labelled pixels, dense or sparse.

    Part of the labels is held out by blocks to choose the epoch (`validation_share`); the scores that count come from places
    that training never saw at all (see `cross_validate_chips`).

    Args:
        cubes: Cubes of one area and season, or of several.
        labels: Labels on the output grid of each; unlabelled pixels (-1) are ignored.
        options: Family (one that uses chips), parameters, class weights, seed.
        setting: Inputs, cache, what stands in the card.

    Raises:
        ModelError: If the family sees no chips, a parameter is unknown or out of range, a chip does not fit the network's
            stride, or the labels hold fewer than two classes.
        SampleError: If there is nothing to train or to validate on.
    """
    setting = setting or ChipTraining()
    family = find_chip_family(options)
    params = read_params(family.complete(options.params), _own_params(family), options.seed)
    sources = _make_sources(cubes, labels)
    parts = [_split(s.labels, params, options.seed) for s in sources]
    inputs = _mark_optional(setting.inputs or make_inputs(sources[0].cubes, season=setting.season), params)
    train = ChipSampler([ChipSource(s.cubes, p[0]) for s, p in zip(sources, parts, strict=True)], inputs,
                        options=params.sampler, cache=setting.cache)  # fmt: skip
    columns, column_of = _columns(train)
    statistics = _measure(train)
    context = ChipContext(params.network, tuple(inputs), train.ratios, len(columns))
    with training(options.seed):
        network = _build(family, context, statistics, params)
    validate, monitor = _make_validate(sources, parts, train, column_of, params)
    batches = ChipBatches(train, column_of, batch_size=params.train.batch_size, augmentation=params.augment,
                          column_weight=_class_weights(train, columns, options))  # fmt: skip
    fit = _fit(network, batches, validate, monitor, params, setting)
    network = network.cpu()
    network.finish_training()
    content = export_chips(network, params.sampler.chip_size_px)
    example, _ = collate([train.read(p) for p in train.plan(0)[:2]], column_of)
    parity = check_chip_parity(network, content, example)
    card = _make_card(family, options, train, statistics, setting)
    fitted = {"best_epoch": fit.best_epoch, "validation": fit.history[fit.best_epoch], "seconds": round(fit.seconds, 1),
              "parity": parity, "sizes": describe_sizes(network, params.sampler.chip_size_px)}  # fmt: skip
    fitted["curve"] = fit.to_curve()
    if fit.energy_kwh is not None:
        fitted["energy_kwh"] = fit.energy_kwh
    card = card.model_copy(update={"lineage": {**card.lineage, "training": fitted}, **_chip_sizes(params)})
    model = make_chip_model(card, content, columns, blend=params.chips.blend)
    model = replace(model, weights=pack_weights(network, keep=params.chips.keep_weights))
    return TrainedChips(model, fit, sum(p.numel() for p in network.parameters()), parity)


def _mark_optional(inputs: Sequence[ModelInput], params: ChipParams) -> tuple[ModelInput, ...]:
    """Mark the inputs that a map may lack."""
    optional = params.chips.optional_inputs
    unknown = [name for name in optional if name not in {i.name for i in inputs}]
    if unknown:
        known = ", ".join(i.name for i in inputs)
        raise ModelError(f"optional_inputs names {unknown[0]!r}, and the cubes are {known}; name some of them")
    return tuple(i.model_copy(update={"required": False}) if i.name in optional else i for i in inputs)


def _fit(
    network: ImageNetwork, batches: ChipBatches, validate: Any, monitor: str, params: ChipParams, setting: ChipTraining
) -> FitResult:  # fmt: skip
    """Train by gradients, or let a network that only remembers see the batches of one epoch."""
    began = time.perf_counter()
    if network.memorise(batches.epoch(0)):
        with torch.inference_mode():
            row = {"epoch": 0.0, **validate(network)}
        row["seconds"] = time.perf_counter() - began
        return FitResult([row], 0, row[monitor], row["seconds"], "epochs")
    folder = None if params.chips.folder is None else Path(params.chips.folder)
    return fit_network(network, train=batches, validate=validate, options=params.train.model_copy(update={"monitor": monitor}),
                       folder=folder, progress=setting.progress)  # fmt: skip


def find_chip_family(options: ModelOptions) -> ModelFamily:
    """Give the family of options, after checking that it sees chips.

    Raises:
        ModelError: If it is unknown or trains on feature rows.
    """
    family = get_model(options.name)
    if family.uses != "chips" or family.build is None:
        raise ModelError(f"{family.name} is trained on rows of features, not on chips; use train_model, or a network "
                         "such as unet")  # fmt: skip
    return family


def _own_params(family: ModelFamily) -> dict[str, Any]:
    """Give the network's own parameters: those that no options class knows."""
    from landweave.models.deep.chip_options import list_params

    shared = list_params({})
    return {k: v for k, v in family.defaults.items() if k not in shared}


def _make_sources(cubes: CubeSet | Sequence[CubeSet], labels: LabelGrid | Sequence[LabelGrid]) -> list[ChipSource]:
    all_cubes = [cubes] if isinstance(cubes, CubeSet) else list(cubes)
    all_labels = [labels] if isinstance(labels, LabelGrid) else list(labels)
    if len(all_cubes) != len(all_labels):
        raise ModelError(f"{len(all_cubes)} cube sets come with {len(all_labels)} label grids; give one for each")
    return [ChipSource(c, g) for c, g in zip(all_cubes, all_labels, strict=True)]


def _split(labels: LabelGrid, params: ChipParams, seed: int) -> tuple[LabelGrid, LabelGrid | None]:
    if params.chips.validation_share == 0:
        return labels, None
    block_px = params.chips.validation_block_px or params.sampler.chip_size_px
    train, held = split_labels(labels, share=params.chips.validation_share, block_px=block_px,
                               buffer_px=params.chips.validation_buffer_px, seed=seed)  # fmt: skip
    return train, held


def _columns(sampler: ChipSampler) -> tuple[tuple[int, ...], NDArray[np.int64]]:
    """Give the classes that training knows, and the column of every class_index (-1 where it has none)."""
    counts = np.sum([s.labels.counts for s in sampler.sources], axis=0)
    present = np.flatnonzero(counts)
    names = sampler.sources[0].labels.legend.names
    if present.size < 2:
        raise ModelError(f"training labels hold {present.size} class ({', '.join(names[i] for i in present) or 'none'}); "
                         "a network needs at least two")  # fmt: skip
    absent = [n for i, n in enumerate(names) if not counts[i]]
    if absent:
        log.warning("no training label of %s: the network never maps it", ", ".join(absent))
    column_of = np.full(len(names), -1, dtype=np.int64)
    column_of[present] = np.arange(present.size)
    return tuple(int(i) for i in present), column_of


def _measure(sampler: ChipSampler) -> _Statistics:
    """Measure the bands over valid pixels of some training chips, a few hundred values of each."""
    taken: dict[str, list[NDArray[np.float32]]] = {i.name: [] for i in sampler.inputs}
    rng = np.random.default_rng([sampler.options.seed, 5])
    for place in sampler.plan(0)[:_STATISTICS_CHIPS]:
        for name, pixels in sampler.read(place).inputs.items():
            flat = np.moveaxis(pixels.values, -3, -1)[pixels.valid.astype(bool)]
            taken[name].append(flat[rng.permutation(len(flat))[:2000]])
    found: dict[str, NDArray[np.float64]] = {}
    for spec in sampler.inputs:
        values = np.concatenate(taken[spec.name]).astype(np.float64)
        if not len(values):
            raise ModelError(f"input {spec.name!r} has no valid pixel in {_STATISTICS_CHIPS} training chips; check its masks "
                             "and dates, or leave it out")  # fmt: skip
        found[spec.name] = values
    return _Statistics(
        {n: v.mean(axis=0) for n, v in found.items()}, {n: np.maximum(v.std(axis=0), 1e-6) for n, v in found.items()},
        {n: np.percentile(v, 1, axis=0) for n, v in found.items()}, {n: np.percentile(v, 99, axis=0) for n, v in found.items()},
        describe_inputs(found),
    )  # fmt: skip


def _build(family: ModelFamily, context: ChipContext, statistics: _Statistics, params: ChipParams) -> ImageNetwork:
    if family.build is None:
        raise ModelError(f"{family.name} builds no network for chips")
    network: ImageNetwork = family.build(context)
    chip, stride = params.sampler.chip_size_px, network.stride
    if chip % stride or chip < 2 * stride:
        fits = max(2, -(-chip // stride)) * stride
        raise ModelError(f"chip_size_px is {chip}, and {family.name} halves its chips down to one {stride}th: it takes "
                         f"multiples of {stride} px, at least {2 * stride}; set chip_size_px to {fits}")  # fmt: skip
    network.set_statistics({n: torch.from_numpy(v).float() for n, v in statistics.mean.items()},
                           {n: torch.from_numpy(v).float() for n, v in statistics.std.items()})  # fmt: skip
    if params.chips.weights is not None:
        start_from(network, family.name, params.chips.weights)
    return network


def _make_validate(
    sources: Sequence[ChipSource], parts: Sequence[tuple[LabelGrid, LabelGrid | None]], train: ChipSampler,
    column_of: NDArray[np.int64], params: ChipParams,
) -> tuple[Any, str]:  # fmt: skip
    """Give the validation function and the score that decides; without held-out labels the last epoch is kept."""
    held = [ChipSource(s.cubes, p[1]) for s, p in zip(sources, parts, strict=True) if p[1] is not None]
    if not held:
        epochs = iter(range(10**9))
        return (lambda network: {"epoch_number": float(next(epochs))}), "epoch_number"
    sampler = ChipSampler(held, train.inputs, options=params.sampler, cache=train.cache)
    places = [p for k, s in enumerate(held) for p in tile_places(s.labels, params.sampler.chip_size_px, source=k)]

    def validate(network: Any) -> dict[str, float]:
        return score_chips(network, sampler, places, column_of, batch_size=params.train.batch_size)

    return validate, "macro_f1"


def _class_weights(sampler: ChipSampler, columns: tuple[int, ...], options: ModelOptions) -> NDArray[np.float64] | None:
    if options.class_weight is None:
        return None
    legend = sampler.sources[0].labels.legend
    if options.class_weight == "balanced":
        counts = np.sum([s.labels.counts for s in sampler.sources], axis=0)[list(columns)].astype(np.float64)
        return np.asarray(counts.sum() / (len(columns) * counts))
    given = {legend.index_of(name): w for name, w in options.class_weight.items()}
    return np.array([given.get(c, 1.0) for c in columns])


# --- card ----------------------------------------------------------------------------------------------------------------


def _chip_sizes(params: ChipParams) -> dict[str, int]:
    chip = params.sampler.chip_size_px
    return {"chip_size_px": chip, "stride_px": params.chips.stride_px or chip // 2}


def _make_card(
    family: ModelFamily, options: ModelOptions, sampler: ChipSampler, statistics: _Statistics, setting: ChipTraining
) -> ModelCard:
    legend = sampler.sources[0].labels.legend
    counts = np.sum([s.labels.counts for s in sampler.sources], axis=0)
    names = [(i.name, band, k) for i in sampler.inputs for k, band in enumerate(i.bands)]
    return ModelCard(
        model=family.name, title=family.title, params=family.complete(options.params), inputs=sampler.inputs,
        classes=legend.to_dicts(), missing="mask", min_valid_steps=options.min_valid_steps,
        p01={f"{n}.{b}": float(statistics.p01[n][k]) for n, b, k in names},
        p99={f"{n}.{b}": float(statistics.p99[n][k]) for n, b, k in names}, band_statistics=statistics.together,
        n_samples={name: int(n) for name, n in zip(legend.names, counts, strict=True)},
        footprint=_footprint(sampler.sources), dates=_dates(sampler.sources), licence=setting.licence,
        metrics={k: dict(v) for k, v in (setting.metrics or {}).items()},
        lineage={"options": options.model_dump(mode="json"), "versions": _versions(), **(setting.lineage or {})},
    )  # fmt: skip


def _footprint(sources: Sequence[ChipSource]) -> tuple[float, float, float, float] | None:
    """Give the extent of the labelled pixels of all sources in degrees."""
    from landweave.grid import Window, window_geobox

    found = []
    for source in sources:
        rows, cols = np.nonzero(source.labels.index >= 0)
        if len(rows):
            top, left = int(rows.min()), int(cols.min())
            window = Window(top, left, int(rows.max()) - top + 1, int(cols.max()) - left + 1)
            found.append(window_geobox(source.labels.geobox, window).geographic_extent.boundingbox)
    if not found:
        return None
    return (min(b[0] for b in found), min(b[1] for b in found), max(b[2] for b in found), max(b[3] for b in found))


def _dates(sources: Sequence[ChipSource]) -> tuple[str, str] | None:
    times = [c["time"].values for s in sources for c in s.cubes.cubes.values() if "time" in c.dims]
    if not times:
        return None
    first, last = min(t[0] for t in times), max(t[-1] for t in times)
    return str(first.astype("datetime64[D]")), str(last.astype("datetime64[D]"))


def _versions() -> dict[str, str]:
    return {"landweave": landweave.__version__, "python": platform.python_version(), "numpy": np.__version__,
            "torch": torch.__version__}  # fmt: skip
