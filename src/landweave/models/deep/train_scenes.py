"""From labelled chips to a network for scenes: split by groups, train, export, check, judge on chips never seen.

Receives a `SceneSet`; hands on a `SceneModel`, which needs no torch.
"""

from __future__ import annotations

import io
import logging
import platform
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import landweave
from landweave.errors import ModelError, SampleError
from landweave.metrics.accuracy import score_matrix
from landweave.metrics.confusion import count_confusion
from landweave.metrics.multilabel import MultilabelCounter
from landweave.models.chip_contract import input_ratios
from landweave.models.deep import losses_labels, parallel  # noqa: F401 (registers its losses)
from landweave.models.deep.augment_chips import augment_chips
from landweave.models.deep.export import OPSET, TOLERANCE
from landweave.models.deep.export_chips import example_inputs
from landweave.models.deep.image_parts import ImageNetwork
from landweave.models.deep.losses import Loss, make_loss
from landweave.models.deep.sampler_cache import Pixels
from landweave.models.deep.scene_networks import build
from landweave.models.deep.series_rows import hold_out
from landweave.models.deep.trainer import Batch, FitResult, fit_network, training
from landweave.models.options import ModelOptions
from landweave.models.registry import ChipContext
from landweave.models.scene_model import SceneModel
from landweave.models.scene_options import SceneParams, find_scene_network, read_scene_params
from landweave.models.scenes import SceneSet, count_labels
from landweave.types import ModelCard, Progress

__all__ = ["SceneSetting", "TrainedScenes", "score_scenes", "split_scenes", "train_scenes"]

log = logging.getLogger(__name__)
_STATISTICS_CHIPS = 128
BATCH = 16
"""Chips computed at once when predicting."""


@dataclass(frozen=True)
class SceneSetting:
    """What training is told besides the options.

    Attributes:
        several: Whether a chip may carry several labels; None: as the labels are.
        licence: For the card.
        lineage: More for the card.
        metrics: Scores for the card.
        progress: Called after every epoch.
    """

    several: bool | None = None
    licence: str = "unspecified"
    lineage: Mapping[str, Any] | None = None
    metrics: Mapping[str, Mapping[str, float]] | None = None
    progress: Progress | None = None


@dataclass(frozen=True)
class TrainedScenes:
    """A trained network and how training went.

    Attributes:
        model: Labels chips.
        fit: History, best epoch, seconds.
        n_parameters: Weights of the network.
        parity: Largest difference of a probability between torch and the exported network.
    """

    model: SceneModel
    fit: FitResult
    n_parameters: int
    parity: float


def split_scenes(scenes: SceneSet, share: float, *, seed: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Hold out whole groups of chips; training chips that share a pixel with a held-out one are left out.

    Args:
        scenes: The chips.
        share: Share of the chips to hold out, 0 for none.
        seed: Of the order of the groups.

    Returns:
        Training and held-out chips by number.
    """
    first = scenes.labels.argmax(axis=1).astype(np.int64)  # with several labels: one of them, so that no class is used up
    held = hold_out(first, scenes.groups, share, seed=seed)
    kept, out = np.flatnonzero(~held), np.flatnonzero(held)
    near = scenes.find_overlapping(kept, out)
    if near.any():
        log.info("%d training chips overlap held-out ones and are left out", int(near.sum()))
    return kept[~near], out


class _Chips:
    """Reads chips, and keeps them up to a bound."""

    def __init__(self, scenes: SceneSet, cache_mb: int) -> None:
        self._scenes, self._left, self._kept = scenes, cache_mb << 20, dict[int, dict[str, Pixels]]()

    def read(self, i: int) -> dict[str, Pixels]:
        if i in self._kept:
            return self._kept[i]
        made = self._scenes.read(i)
        size = sum(p.nbytes for p in made.values())
        if size <= self._left:
            self._left -= size
            self._kept[i] = made
        return made

    def stack(self, rows: NDArray[np.int64]) -> dict[str, Tensor]:
        chips = [self.read(int(i)) for i in rows]
        made = {}
        for name in chips[0]:
            made[name] = torch.from_numpy(np.stack([c[name].values for c in chips]))
            made[f"{name}_valid"] = torch.from_numpy(np.stack([c[name].valid for c in chips]).astype(np.float32))
        return made


@dataclass(frozen=True)
class _Batches:
    """Training batches, in an order that (seed, epoch) alone decides; of several processes, each gets its share of a batch."""

    chips: _Chips
    scenes: SceneSet
    rows: NDArray[np.int64]
    target: Tensor
    params: SceneParams

    def __len__(self) -> int:
        return max(1, len(self.rows) // self.params.train.batch_size)

    def epoch(self, number: int) -> Iterator[Batch]:
        rng = np.random.default_rng([self.params.train.seed, number])
        order = rng.permutation(len(self.rows))
        for part in np.array_split(order, len(self)):
            mine = self.rows[part[parallel.rank() :: parallel.world_size()]]
            inputs = self.chips.stack(mine)
            nothing = torch.zeros((len(mine), self.scenes.chip_size_px, self.scenes.chip_size_px), dtype=torch.long)
            inputs, _ = augment_chips(inputs, nothing, self.scenes.inputs, self.params.augment, rng)
            shown = ", ".join(self.scenes.names[i] for i in mine[:3])
            yield Batch(inputs, self.target[mine], name=f"{shown}{', ...' if len(mine) > 3 else ''}")


def train_scenes(scenes: SceneSet, *, options: ModelOptions, setting: SceneSetting | None = None) -> TrainedScenes:
    """Train a network on labelled chips.

    Part of the chips is held out by groups to choose the epoch (`validation_share`); its score is not one to quote. For that,
    hold out chips with `split_scenes` beforehand and give them to `score_scenes`.

    Args:
        scenes: The chips.
        options: Network by name (scene-cnn, ...), parameters, class weights (of the loss), seed.
        setting: Kind of labels, what stands in the card.

    Raises:
        ModelError: If the network or a parameter is unknown, a chip does not fit the network's stride, or training fails.
        SampleError: If a chip has no label or several where one is expected, or there are fewer than two classes.
    """
    setting = setting or SceneSetting()
    params = read_scene_params(options.name, options.params, options.seed)
    several = scenes.has_several if setting.several is None else setting.several
    columns = _columns(scenes, several)
    kept, held = split_scenes(scenes, params.scenes.validation_share, seed=options.seed)
    chips = _Chips(scenes, params.scenes.cache_mb)
    with training(options.seed):
        network = _build(options.name, scenes, params, len(columns))
    _set_statistics(network, scenes, chips, kept, options.seed)
    marks = scenes.labels[:, list(columns)]
    target = torch.from_numpy(marks.astype(np.float32) if several else marks.argmax(axis=1).astype(np.int64))
    monitor = ("map_macro" if several else "macro_f1") if len(held) else "epoch_number"
    train = params.train.model_copy(update={"monitor": monitor})
    batches = _Batches(chips, scenes, kept, target, params)
    validate = _make_judge(chips, held, marks, several) if len(held) else _count_epochs()
    fit = fit_network(network, train=batches, validate=validate, options=train, progress=setting.progress,
                      loss=_make_loss(params, marks[kept], several),
                      folder=None if params.scenes.folder is None else Path(params.scenes.folder))  # fmt: skip
    network = network.cpu()
    content = _export(network, scenes.chip_size_px, several)
    parity = _check_parity(network, content, chips.stack(kept[:4]), several)
    card = _make_card(scenes, options, params, setting, fit, parity, columns)
    model = SceneModel(card, content, columns, several)
    return TrainedScenes(model, fit, sum(p.numel() for p in network.parameters()), parity)


def _columns(scenes: SceneSet, several: bool) -> tuple[int, ...]:
    n_labels = scenes.labels.sum(axis=1)
    wrong = np.flatnonzero(n_labels != 1)
    if not several and len(wrong):
        raise SampleError(f"{len(wrong)} of {len(scenes)} chips have no label or several, the first is "
                          f"{scenes.names[wrong[0]]} with {int(n_labels[wrong[0]])}; give each one, or "
                          "train with several labels")  # fmt: skip
    present = np.flatnonzero(scenes.labels.any(axis=0))
    if present.size < 2:
        raise SampleError(f"chips carry {present.size} class(es); a network needs two at least")
    return tuple(int(k) for k in present)


def _build(name: str, scenes: SceneSet, params: SceneParams, n_columns: int) -> ImageNetwork:
    side = scenes.chip_size_px
    ratios = tuple(input_ratios(scenes.inputs).values())
    context = ChipContext({**params.network, "chip_size_px": side}, scenes.inputs, ratios, n_columns)
    network = build(name, context)
    if side < network.stride or any(side % r for r in ratios):
        raise ModelError(f"chips have {side} px, and {name} halves them down to one {network.stride}th; give chips of "
                         f"{network.stride} px at least, a multiple of {max(ratios)}")  # fmt: skip
    return network


def _set_statistics(network: ImageNetwork, scenes: SceneSet, chips: _Chips, kept: NDArray[np.int64], seed: int) -> None:
    rows = np.random.default_rng([seed, 5]).permutation(kept)[:_STATISTICS_CHIPS]
    mean, std = {}, {}
    for spec in scenes.inputs:
        found = [chips.read(int(i))[spec.name] for i in rows]
        values = np.concatenate([np.moveaxis(p.values, -3, -1)[p.valid.astype(bool)] for p in found]).astype(np.float64)
        if not len(values):
            raise ModelError(f"input {spec.name!r} has no valid pixel in {len(rows)} chips; check nodata and masks")
        mean[spec.name] = torch.from_numpy(values.mean(axis=0)).float()
        std[spec.name] = torch.from_numpy(np.maximum(values.std(axis=0), 1e-6)).float()
    network.set_statistics(mean, std)


def _make_loss(params: SceneParams, marks: NDArray[np.int8], several: bool) -> Loss:
    name, given = params.train.loss, dict(params.train.loss_params)
    counts = marks.sum(axis=0, dtype=int).tolist()
    is_labels = name in ("bce", "asymmetric")
    if name != "auto" and is_labels != several:
        raise ModelError(f"loss is {name}, and chips carry {'several labels' if several else 'one label'}; take "
                         f"{'bce or asymmetric' if several else 'cross-entropy, class-balanced or focal'}")  # fmt: skip
    if name == "auto":
        name = "bce" if several else "class-balanced"
    if name == "class-balanced":
        given.setdefault("counts", counts)
    return make_loss(name, given)


def _count_epochs() -> Any:
    epochs = iter(range(10**9))
    return lambda network: {"epoch_number": float(next(epochs))}


def _make_judge(chips: _Chips, held: NDArray[np.int64], marks: NDArray[np.int8], several: bool) -> Any:
    def judge(network: nn.Module) -> dict[str, float]:
        device = next(network.parameters()).device
        parts = []
        for rows in np.array_split(held, max(1, len(held) // BATCH)):
            logits = network({k: v.to(device) for k, v in chips.stack(rows).items()}).float()
            parts.append((logits.sigmoid() if several else logits.softmax(dim=1)).cpu().numpy())
        return _score(np.concatenate(parts), marks[held], several)

    return judge


def _score(proba: NDArray[np.float32], marks: NDArray[np.int8], several: bool) -> dict[str, float]:
    if not np.isfinite(proba).all():
        return dict.fromkeys(("map_macro", "macro_f1"), float("nan"))
    if several:
        counter = MultilabelCounter(proba.shape[1])
        counter.update(proba, marks)
        found = counter.result()
        return {name: getattr(found, name) for name in ("map_macro", "map_micro", "f1_macro", "f1_micro")}
    matrix = count_confusion(proba.argmax(axis=1), marks.argmax(axis=1), proba.shape[1])
    return {name: float(score_matrix(matrix, name)) for name in ("macro_f1", "overall_accuracy")}


def score_scenes(model: SceneModel, scenes: SceneSet) -> dict[str, float]:
    """Score a network on labelled chips: overall accuracy and macro-F1; with several labels mAP and F1, macro and micro.

    Raises:
        ModelError: If the chips do not fit, or have other classes.
    """
    if scenes.legend.names != model.card.legend.names:
        raise ModelError(f"chips have the classes {', '.join(scenes.legend.names)}, the model "
                         f"{', '.join(model.card.legend.names)}; score with chips of the model's classes")  # fmt: skip
    proba = model.predict_chips(scenes)
    seen = ~np.isnan(proba[:, 0])
    return _score(proba[seen], scenes.labels[seen], model.several)


class _Named(nn.Module):
    """Takes tensors in order, gives probabilities: what the exporter can trace."""

    def __init__(self, network: nn.Module, names: tuple[str, ...], several: bool) -> None:
        super().__init__()
        self.network, self.names, self.several = network, names, several

    def forward(self, *tensors: Tensor) -> Tensor:
        logits = self.network(dict(zip(self.names, tensors, strict=True)))
        proba: Tensor = logits.sigmoid() if self.several else logits.softmax(dim=1)
        return proba


def _export(network: ImageNetwork, side: int, several: bool) -> bytes:
    example = example_inputs(network, 2, side)
    wrapped = _Named(network, tuple(example), several).eval()
    buffer: Any = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # see `export.export_rows` for why the tracing exporter is used
        try:
            torch.onnx.export(wrapped, tuple(example.values()), buffer, input_names=list(example), output_names=["proba"],
                              opset_version=OPSET, dynamic_axes={n: {0: "batch"} for n in (*example, "proba")},
                              dynamo=False)  # fmt: skip
        except (torch.onnx.errors.OnnxExporterError, RuntimeError) as err:
            raise ModelError(f"{type(network).__name__} cannot be exported to ONNX: {err}") from err
    content: bytes = buffer.getvalue()
    return content


def _check_parity(network: ImageNetwork, content: bytes, inputs: dict[str, Tensor], several: bool) -> float:
    from landweave.models.sessions import ONNXRUNTIME, open_session

    found = open_session(content, ONNXRUNTIME).run({k: v.numpy() for k, v in inputs.items()}, "proba")
    with torch.inference_mode():
        wanted = _Named(network, tuple(inputs), several).eval()(*inputs.values()).numpy()
    worst = float(np.abs(found - wanted).max(initial=0.0))
    if not worst <= TOLERANCE:
        raise ModelError(f"exported network differs from torch by {worst:.2g} in a probability, at most {TOLERANCE:g} is "
                         "right; report it with the model's parameters")  # fmt: skip
    return worst


def _make_card(
    scenes: SceneSet, options: ModelOptions, params: SceneParams, setting: SceneSetting, fit: FitResult, parity: float,
    columns: tuple[int, ...],
) -> ModelCard:  # fmt: skip
    absent = [n for k, n in enumerate(scenes.legend.names) if k not in columns]
    if absent:
        log.warning("no training chip of %s: the network never gives it", ", ".join(absent))
    fitted = {"best_epoch": fit.best_epoch, "curve": fit.to_curve(), "seconds": round(fit.seconds, 1), "parity": parity}
    if fit.energy_kwh is not None:
        fitted["energy_kwh"] = fit.energy_kwh
    versions = {"landweave": landweave.__version__, "python": platform.python_version(), "torch": torch.__version__}
    side = scenes.chip_size_px
    return ModelCard(
        model=options.name, title=find_scene_network(options.name).title, params={**params.network, **options.params},
        inputs=scenes.inputs, classes=scenes.legend.to_dicts(), missing="mask", chip_size_px=side,
        stride_px=params.scenes.stride_px or side, batch_shape=(BATCH,), n_samples=dict(count_labels(scenes)),
        footprint=scenes.bbox, licence=setting.licence, metrics={k: dict(v) for k, v in (setting.metrics or {}).items()},
        lineage={"options": options.model_dump(mode="json"), "versions": versions, "training": fitted,
                 **(setting.lineage or {})},
    )  # fmt: skip
