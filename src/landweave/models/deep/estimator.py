"""Series networks as estimators: rows in, fit, probabilities out, and the ONNX file; the models' room knows only this.

Rows come as `prepare_features` gives them. The network that is exported holds the normalisation, the days and the softmax.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from landweave.errors import ModelError
from landweave.metrics.accuracy import score_matrix
from landweave.metrics.confusion import count_confusion
from landweave.models.deep.augment_series import SeriesAugmentation
from landweave.models.deep.export import check_parity, export_rows
from landweave.models.deep.fusion import EachHead, FusionNetwork
from landweave.models.deep.losses import Loss, make_loss, ordinal_proba
from landweave.models.deep.series_options import read_params
from landweave.models.deep.series_rows import RowBatches, hold_out, take_rows
from landweave.models.deep.series_views import Front, Views, fit_normaliser, lay_out
from landweave.models.deep.trainer import FitResult, fit_network, hash_seed, training
from landweave.models.registry import FitContext
from landweave.types import Progress

__all__ = ["SeriesClassifier", "SeriesModel", "SeriesRegressor"]

VALIDATION_BATCH = 1024


class CoTaught(nn.Module):
    """Two networks side by side: logits (row, class, 2) while training, the mean of both afterwards."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first, self.second = first, second

    def forward(self, inputs: Views) -> Tensor:
        """Give the logits."""
        both = torch.stack([self.first(inputs), self.second(inputs)], dim=2)
        return both if self.training else both.softmax(dim=1).mean(dim=2).clamp_min(1e-12).log()


class SeriesModel(nn.Module):
    """What is exported: rows to views, every member, the mean of their probabilities or values.

    Args:
        front: Rows to normalised views.
        members: Networks.
        output: `classes` (softmax), `coral`, `corn`, or `values` (the first output).
    """

    def __init__(self, front: Front, members: list[nn.Module], output: str) -> None:
        super().__init__()
        self.front, self.members, self.output = front, nn.ModuleList(members), output

    def forward(self, features: Tensor) -> Tensor:
        """Give probabilities (row, column) or values (row, 1)."""
        inputs = self.front(features)
        return torch.stack([to_output(member(inputs), self.output) for member in self.members]).mean(dim=0)


def to_output(logits: Tensor, output: str) -> Tensor:
    """Give what a network says as probabilities (row, column) or values (row, 1)."""
    if output == "values":
        return logits[:, :1]
    if output in ("coral", "corn"):
        return ordinal_proba(logits, conditional=output == "corn")
    return logits.softmax(dim=1)


@dataclass
class _Series(ABC):
    """What classifier and regressor share.

    Attributes:
        context: What the network is made for.
        encoder: Name of the encoder; None for the family `fusion`, whose parameters name it.
        report_: How training went, for the model's card: parameters, epochs, scores, weights of the views.
    """

    context: FitContext
    encoder: str | None
    progress: Progress | None = None
    report_: dict[str, Any] = field(default_factory=dict)
    model_: SeriesModel | None = None
    n_features_: int = 0

    def __post_init__(self) -> None:
        network, series, changes, train = read_params(self.context.params, self.encoder, self.context.seed)
        self._network, self._series, self._train = network, series, train
        self._augmentation = SeriesAugmentation(**changes)
        if series.co_teaching and (self.encoder is None or self._augmentation.mixes):
            raise ModelError("co_teaching goes with a single encoder and without mixup and cutmix; drop one of them")

    def to_onnx(self) -> bytes:
        """Give the network as an ONNX file, checked against torch on drawn rows, with gaps where it knows them.

        Raises:
            ModelError: If it is not fitted, or both differ by more than 1e-4.
        """
        model = self._fitted()
        content = export_rows(model, self.n_features_)
        check_parity(model, content, model.front.draw_rows(64, np.random.default_rng(0)))
        return content

    def weigh_views(self, features: NDArray[np.float32]) -> dict[str, float]:
        """Give the mean weight of each input over rows, where attention or gates merge them.

        Raises:
            ModelError: If it is not fitted.
        """
        model = self._fitted()
        with torch.inference_mode():
            inputs = model.front(torch.from_numpy(features))
            weights = [m.weigh(inputs).mean(dim=0) for m in model.members if isinstance(m, FusionNetwork)]
        names = [v.name for v in model.front.views]
        return dict(zip(names, torch.stack(weights).mean(dim=0).tolist(), strict=True)) if weights else {}

    def _fitted(self) -> SeriesModel:
        if self.model_ is None:
            raise ModelError("network is not fitted; call fit first")
        return self.model_

    def _fit_members(
        self, features: NDArray[np.float32], target: Tensor, weight: NDArray[np.float64] | None, held: list[NDArray[np.bool_]],
        n_outputs: int, loss: Loss, output: str,
    ) -> None:  # fmt: skip
        """Fit normalisation and every member on the rows that are not held out of it."""
        views = lay_out(self.context.inputs, self.context.missing)
        front = Front(views, [fit_normaliser(features, v) for v in views])
        with torch.inference_mode():
            inputs = front(torch.from_numpy(np.ascontiguousarray(features)))
        inputs = {k: v.clone() for k, v in inputs.items()}
        weights = None if weight is None else torch.from_numpy((weight / weight.mean()).astype(np.float32))
        loss = loss if self._series.co_teaching else EachHead(loss)
        members, results = [], []
        for m, out in enumerate(held):
            seed = hash_seed(self.context.seed, m) % 2**31 if m else self.context.seed
            options = self._train.model_copy(update={"seed": seed})
            kept = torch.from_numpy(np.flatnonzero(~out))
            train = RowBatches(
                take_rows(inputs, kept), target[kept], None if weights is None else weights[kept], views, options.batch_size,
                seed, self._series.balance, self._augmentation, 0 if output == "values" else self._n_columns(),
                self._series.min_batches,
            )  # fmt: skip
            if len(kept) < 2 or options.batch_size < 2:
                raise ModelError(f"{len(kept)} training rows in batches of {options.batch_size}; a batch norm needs two")
            with training(seed, options.threads):
                network = self._make_network(views, n_outputs)
            judge = self._make_judge(take_rows(inputs, torch.from_numpy(np.flatnonzero(out))), target.numpy()[out], output)
            folder = None if self._series.folder is None else Path(self._series.folder) / f"member-{m}"
            results.append(fit_network(network, train=train, validate=judge if out.any() else None, options=options,
                                       folder=folder, progress=self.progress, loss=loss))  # fmt: skip
            members.append(network)
        self.model_, self.n_features_ = SeriesModel(front, members, output).eval(), features.shape[1]
        self.report_ = _report(self.model_, results)
        if len(views) > 1:
            self.report_["view_weights"] = self.weigh_views(features)

    def _n_columns(self) -> int:
        return 0

    def _make_network(self, views: Any, n_outputs: int) -> nn.Module:
        if self.encoder is None:
            return _make_fusion(views, n_outputs, self._network)
        first = FusionNetwork(views, n_outputs, encoder=self.encoder, params=self._network)
        if not self._series.co_teaching:
            return first
        return CoTaught(first, FusionNetwork(views, n_outputs, encoder=self.encoder, params=self._network))

    def _make_judge(self, inputs: Views, truth: NDArray[Any], output: str) -> Any:
        def judge(network: nn.Module) -> dict[str, float]:
            batches = torch.split(torch.arange(len(truth)), VALIDATION_BATCH)
            parts = [to_output(network(take_rows(inputs, at)).float(), output).numpy() for at in batches]
            return self._score(np.concatenate(parts), truth)

        return judge

    @abstractmethod
    def _score(self, found: NDArray[np.float32], truth: NDArray[Any]) -> dict[str, float]:
        """Score outputs (row, column) against the truth."""


def _make_fusion(views: Any, n_outputs: int, params: dict[str, Any]) -> FusionNetwork:
    from landweave.models.deep.encoders import find_encoder

    defaults, given = find_encoder(params["encoder"]).defaults, params["encoder_params"]
    unknown = [k for k in given if k not in defaults]
    if unknown:
        raise ModelError(f"encoder {params['encoder']} has no parameter {unknown[0]!r}; it takes {', '.join(sorted(defaults))}")
    return FusionNetwork(views, n_outputs, encoder=params["encoder"], params={**defaults, **given}, strategy=params["strategy"],
                         merge=params["merge"], width=params["merge_width"])  # fmt: skip


def _report(model: SeriesModel, results: list[FitResult]) -> dict[str, Any]:
    energy = [r.energy_kwh for r in results if r.energy_kwh is not None]
    report: dict[str, Any] = {
        "parameters": sum(p.numel() for m in model.members for p in m.parameters()),
        "members": [{"epochs": len(r.history), "best_epoch": r.best_epoch, "best_score": round(r.best_score, 6),
                     "stopped": r.stopped, "curve": r.to_curve()} for r in results],
    }  # fmt: skip
    return report | ({"energy_kwh": sum(energy)} if energy else {})


class SeriesClassifier(_Series):
    """A series network as a classifier; `classes_` are the class_index that have training rows."""

    classes_: NDArray[np.int64]

    def fit(
        self, features: NDArray[np.float32], target: NDArray[np.int64], sample_weight: NDArray[np.float64] | None = None,
        groups: NDArray[np.int64] | None = None,
    ) -> SeriesClassifier:  # fmt: skip
        """Train on rows.

        Args:
            features: (row, column), as `prepare_features` gives them; no NaN.
            target: class_index of each row.
            sample_weight: Weight of each row.
            groups: Group of each row (spatial block); whole groups are held out to choose the epoch.

        Raises:
            ModelError: If training fails; see `fit_network`.
        """
        self.classes_, column = np.unique(target, return_inverse=True)
        column = column.reshape(-1).astype(np.int64)
        loss, output = self._make_loss(column)
        n = self._series.n_members
        held = [hold_out(column, groups, self._series.validation_share, seed=self.context.seed, member=m, n_members=n)
                for m in range(n)]  # fmt: skip
        n_outputs = loss.n_outputs or len(self.classes_)
        self._fit_members(features, torch.from_numpy(column), sample_weight, held, n_outputs, loss, output)
        return self

    def predict_proba(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give probabilities (row, column) by torch; columns as in `classes_`.

        Raises:
            ModelError: If it is not fitted.
        """
        with torch.inference_mode():
            return np.asarray(self._fitted()(torch.from_numpy(np.ascontiguousarray(features))).numpy())

    def _n_columns(self) -> int:
        return len(self.classes_)

    def _make_loss(self, column: NDArray[np.int64]) -> tuple[Loss, str]:
        name, params = self._train.loss, dict(self._train.loss_params)
        if self._series.co_teaching:
            name, params = "co-teaching", {"noise": self._series.co_teaching}
        if name in ("coral", "corn"):
            params.setdefault("n_classes", len(self.classes_))
        if name == "class-balanced":
            params.setdefault("counts", np.bincount(column, minlength=len(self.classes_)).tolist())
        if name == "hierarchical":
            params["parents"] = self._parents(params.get("parents"))
        if name in ("huber", "gaussian-nll"):
            raise ModelError(f"loss {name} is for values, this is a classification; use cross-entropy")
        return make_loss(name, params), name if name in ("coral", "corn") else "classes"

    def _parents(self, given: list[int] | None) -> list[int]:
        """Give the parent of each column; numbers without a hole."""
        parents = list(given) if given is not None else list(self.context.parents)
        if len(parents) != self.context.n_classes:
            raise ModelError(f"loss hierarchical needs the parent of each of {self.context.n_classes} classes, has "
                             f"{len(parents)}; give the legend's classes parents")  # fmt: skip
        return np.unique([parents[c] for c in self.classes_], return_inverse=True)[1].reshape(-1).tolist()

    def _score(self, found: NDArray[np.float32], truth: NDArray[Any]) -> dict[str, float]:
        matrix = count_confusion(found.argmax(axis=1), truth, found.shape[1])
        own = found[np.arange(len(truth)), truth]
        return {"macro_f1": float(score_matrix(matrix, "macro_f1")),
                "overall_accuracy": float(score_matrix(matrix, "overall_accuracy")),
                "log_loss": float(-np.log(np.maximum(own, 1e-12)).mean())}  # fmt: skip


class SeriesRegressor(_Series):
    """A series network as a regressor of one value; the target is standardised inside. Losses `huber` and `gaussian-nll`."""

    def fit(
        self, features: NDArray[np.float32], target: NDArray[np.float64], sample_weight: NDArray[np.float64] | None = None,
        groups: NDArray[np.int64] | None = None,
    ) -> SeriesRegressor:  # fmt: skip
        """Train on rows; see `SeriesClassifier.fit`.

        Raises:
            ModelError: If the loss is not for values, or training fails.
        """
        if self._train.loss not in ("huber", "gaussian-nll"):
            raise ModelError(f"loss is {self._train.loss!r}; regression takes huber or gaussian-nll")
        self._train = self._train.model_copy(update={"monitor": "rmse", "maximize": False})
        self.mean_, self.spread_ = float(np.mean(target)), float(np.std(target)) or 1.0
        scaled = torch.from_numpy(((target - self.mean_) / self.spread_).astype(np.float32))
        loss = make_loss(self._train.loss, self._train.loss_params)
        n, one = self._series.n_members, np.zeros(len(target), dtype=np.int64)
        held = [hold_out(one, groups, self._series.validation_share, seed=self.context.seed, member=m, n_members=n)
                for m in range(n)]  # fmt: skip
        self._fit_members(features, scaled, sample_weight, held, loss.n_outputs or 1, loss, "values")
        return self

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Give the value of each row.

        Raises:
            ModelError: If it is not fitted.
        """
        with torch.inference_mode():
            found = self._fitted()(torch.from_numpy(np.ascontiguousarray(features))).numpy()[:, 0]
        return np.asarray(found.astype(np.float64) * self.spread_ + self.mean_)

    def _score(self, found: NDArray[np.float32], truth: NDArray[Any]) -> dict[str, float]:
        return {"rmse": float(np.sqrt(np.mean((found[:, 0] - truth) ** 2)) * self.spread_)}


def make_classifier(context: FitContext, encoder: str | None) -> SeriesClassifier:
    """Make the unfitted classifier of a family; see `SeriesClassifier`."""
    return SeriesClassifier(replace(context), encoder)
