"""Losses by name: network output and target in, one number out; rows and pixels with target -1 never count.

Classification losses take logits (batch, class, ...) and class_index (batch, ...), or shares of the classes where mixing
made them; regression losses take values. Losses of regions (dice, Lovasz, ...) register themselves from their own module.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from landweave.errors import ModelError
from landweave.legend import suggest_name

__all__ = ["Loss", "list_losses", "make_loss", "register_loss"]

IGNORED = -1


class Loss(nn.Module):
    """Base of all losses."""

    n_outputs: int | None = None
    """Outputs that the network needs instead of one per class; None for one per class."""

    def set_epoch(self, epoch: int, n_epochs: int) -> None:
        """Say which epoch begins, for losses that change with it."""

    def forward(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Give the weighted mean of `each` over what is not ignored; 0 where everything is."""
        kept = _kept(target, output)
        values = self.each(output, target) * kept
        weights = kept if weight is None else kept * weight
        return (values * weights).sum() / weights.sum().clamp_min(1e-12)

    def each(self, output: Tensor, target: Tensor) -> Tensor:
        """Give the loss of each row or pixel; what is ignored may hold anything finite."""
        raise ModelError(f"{type(self).__name__} has no loss of single rows; call it on a batch")


_losses: dict[str, Callable[..., Loss]] = {}
_DENSE = "landweave.models.deep.losses_dense"
_homes: dict[str, str] = dict.fromkeys(
    ("boundary", "cross-entropy-dice", "cross-entropy-lovasz", "dice", "lovasz", "tversky"), _DENSE
) | dict.fromkeys(("asymmetric", "bce"), "landweave.models.deep.losses_labels")


def register_loss(name: str, make: Callable[..., Loss]) -> None:
    """Make a loss known by name; `make` takes its parameters as keywords."""
    _losses[name] = make


def list_losses() -> list[str]:
    """Give the names of all losses."""
    return sorted({*_losses, *_homes})


def make_loss(name: str, params: Mapping[str, Any]) -> Loss:
    """Make a loss.

    Raises:
        ModelError: If the name or a parameter is unknown; the message lists the known ones.
    """
    if name not in _losses and name in _homes:
        import_module(_homes[name])
    if name not in _losses:
        near = suggest_name(name, list_losses())
        hint = f"did you mean {near!r}? " if near else ""
        raise ModelError(f"no loss named {name!r}; {hint}known losses: {', '.join(list_losses())}")
    known = [p for p in signature(_losses[name]).parameters if p != "self"]
    unknown = [p for p in params if p not in known]
    if unknown:
        raise ModelError(f"loss {name} has no parameter {unknown[0]!r}; it takes {', '.join(known) or 'none'}")
    return _losses[name](**params)


def _kept(target: Tensor, output: Tensor) -> Tensor:
    if target.is_floating_point():
        is_shares = target.ndim == output.ndim and target.ndim > 1 and target.shape[1] == output.shape[1]
        flat = target.sum(dim=1) if is_shares and target.shape[1] > 1 else target
        return torch.isfinite(flat).to(output.dtype)
    return (target != IGNORED).to(output.dtype)


def _shares(target: Tensor, n_classes: int) -> Tensor:
    """Give the target as shares of the classes on axis 1; ignored ones get class 0 and are left out later."""
    if target.is_floating_point():
        return target
    return functional.one_hot(target.clamp_min(0), n_classes).movedim(-1, 1).float()


class CrossEntropy(Loss):
    """Cross-entropy -sum_k y_k log p_k, with label smoothing (Szegedy et al. 2016, arXiv:1512.00567, section 7)."""

    def __init__(self, smoothing: float = 0.0) -> None:
        super().__init__()
        self.smoothing = _check_share("smoothing", smoothing)

    def each(self, output: Tensor, target: Tensor) -> Tensor:
        """Give it per row or pixel."""
        n_classes = output.shape[1]
        shares = _shares(target, n_classes) * (1 - self.smoothing) + self.smoothing / n_classes
        return -(shares * output.log_softmax(dim=1)).sum(dim=1)


class Focal(Loss):
    """Focal loss -(1 - p)^gamma log p (Lin et al. 2017, arXiv:1708.02002, eq. 4)."""

    def __init__(self, gamma: float = 2.0) -> None:
        super().__init__()
        self.gamma = gamma

    def each(self, output: Tensor, target: Tensor) -> Tensor:
        """Give it per row or pixel."""
        logs = output.log_softmax(dim=1)
        return -(_shares(target, output.shape[1]) * (1 - logs.exp()) ** self.gamma * logs).sum(dim=1)


class ClassBalanced(Loss):
    """Cross-entropy weighted by (1 - beta) / (1 - beta^n_k) (Cui et al. 2019, arXiv:1901.05555, eq. 5), mean weight 1."""

    def __init__(self, counts: Sequence[int], beta: float = 0.999) -> None:
        super().__init__()
        n = torch.as_tensor(list(counts), dtype=torch.float64)
        weight = torch.where(n > 0, (1 - beta) / (1 - beta ** n.clamp_min(1)), torch.zeros(()).double())
        self.register_buffer("class_weight", (weight / weight[n > 0].mean()).float())

    def each(self, output: Tensor, target: Tensor) -> Tensor:
        """Give it per row or pixel."""
        shape = (1, -1, *([1] * (output.ndim - 2)))
        weighted = _shares(target, output.shape[1]) * self.get_buffer("class_weight").reshape(shape)
        return -(weighted * output.log_softmax(dim=1)).sum(dim=1)


class SymmetricCrossEntropy(Loss):
    """Alpha CE + beta reverse CE, log 0 taken as A = -4 (Wang et al. 2019, arXiv:1908.06112, eq. 5 to 7)."""

    def __init__(self, alpha: float = 1.0, beta: float = 1.0, floor: float = -4.0) -> None:
        super().__init__()
        self.alpha, self.beta, self.floor = alpha, beta, floor

    def each(self, output: Tensor, target: Tensor) -> Tensor:
        """Give it per row or pixel."""
        shares = _shares(target, output.shape[1])
        logs = output.log_softmax(dim=1)
        reverse = -(logs.exp() * shares.log().clamp_min(self.floor)).sum(dim=1)
        return -self.alpha * (shares * logs).sum(dim=1) + self.beta * reverse


class GeneralisedCrossEntropy(Loss):
    """(1 - p^q) / q, between cross-entropy (q -> 0) and mean absolute error (q = 1); arXiv:1805.07836, eq. 6."""

    def __init__(self, q: float = 0.7) -> None:
        super().__init__()
        if not 0 < q <= 1:
            raise ModelError(f"q is {q}; generalised cross-entropy needs a value above 0 and at most 1")
        self.q = q

    def each(self, output: Tensor, target: Tensor) -> Tensor:
        """Give it per row or pixel."""
        p = output.softmax(dim=1).clamp_min(1e-7)
        return (_shares(target, output.shape[1]) * (1 - p**self.q) / self.q).sum(dim=1)


class CoTeaching(Loss):
    """Two networks, each trained on the rows that the other finds easy (Han et al. 2018, arXiv:1804.06872, algorithm 1).

    Output: logits (batch, class, 2). The share of rows left out rises linearly to `noise` over the first tenth of training.
    """

    def __init__(self, noise: float = 0.2) -> None:
        super().__init__()
        self.noise, self._share = _check_share("noise", noise), 0.0

    def set_epoch(self, epoch: int, n_epochs: int) -> None:
        """Set the share of rows that is left out."""
        self._share = self.noise * min(1.0, epoch / max(1.0, 0.1 * n_epochs))

    def forward(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Give the mean over the rows that the other network finds easiest, summed over both."""
        if output.ndim != 3 or output.shape[2] != 2:
            raise ModelError(f"co-teaching takes logits (batch, class, 2), got {tuple(output.shape)}; set co_teaching: true")
        shares = _shares(target, output.shape[1])[..., None]
        values = -(shares * output.log_softmax(dim=1)).sum(dim=1)
        kept = _kept(target, output[..., 0])
        n_easy = max(1, round((1 - self._share) * float(kept.sum())))
        total = output.new_zeros(())
        for own, other in ((0, 1), (1, 0)):
            hard = values[:, other].detach() + (1 - kept) * 1e9
            easy = hard.argsort()[:n_easy]
            weights = kept[easy] if weight is None else kept[easy] * weight[easy]
            total = total + (values[easy, own] * weights).sum() / weights.sum().clamp_min(1e-12)
        return total


class Coral(Loss):
    """Ordinal classes by K - 1 cumulative logits with one slope: -sum log P(y > k) (Cao et al. 2020, arXiv:1901.07884, eq. 5).

    Output (batch, K - 1, ...): the logits of "above class k".
    """

    def __init__(self, n_classes: int) -> None:
        super().__init__()
        self.n_outputs = n_classes - 1

    def each(self, output: Tensor, target: Tensor) -> Tensor:
        """Give it per row or pixel."""
        above = _above(output, target)
        return functional.binary_cross_entropy_with_logits(output, above, reduction="none").sum(dim=1)


class Corn(Loss):
    """Ordinal classes by conditional probabilities P(y > k | y > k - 1) (Shi et al. 2021, arXiv:2111.08851, eq. 7)."""

    def __init__(self, n_classes: int) -> None:
        super().__init__()
        self.n_outputs = n_classes - 1

    def each(self, output: Tensor, target: Tensor) -> Tensor:
        """Give it per row or pixel; a logit counts only where the class reaches that far."""
        above = _above(output, target)
        reached = torch.cat([torch.ones_like(above[:, :1]), above[:, :-1]], dim=1)
        return (functional.binary_cross_entropy_with_logits(output, above, reduction="none") * reached).sum(dim=1)


def _above(output: Tensor, target: Tensor) -> Tensor:
    steps = torch.arange(output.shape[1], device=output.device).reshape(1, -1, *([1] * (target.ndim - 1)))
    return (target.unsqueeze(1) > steps).to(output.dtype)


def ordinal_proba(output: Tensor, *, conditional: bool) -> Tensor:
    """Give class probabilities (batch, K, ...) of ordinal logits (batch, K - 1, ...).

    Args:
        output: Logits of "above class k".
        conditional: Whether they are conditional (CORN) and multiply up, or cumulative (CORAL) and may need sorting.
    """
    above = output.sigmoid()
    above = above.cumprod(dim=1) if conditional else above.cummin(dim=1).values
    full = torch.cat([torch.ones_like(above[:, :1]), above, torch.zeros_like(above[:, :1])], dim=1)
    return full[:, :-1] - full[:, 1:]


class Hierarchical(Loss):
    """Cross-entropy of the classes plus that of their parents, whose probability is the sum of their children's.

    Marginalised as in Bertinetto et al. 2020 (arXiv:1912.09393, section 3.1), with one weight per level.
    """

    def __init__(self, parents: Sequence[int], parent_weight: float = 0.5) -> None:
        super().__init__()
        index = torch.as_tensor(list(parents))
        self.register_buffer("membership", functional.one_hot(index, int(index.max()) + 1).float())
        self.parent_weight = parent_weight

    def each(self, output: Tensor, target: Tensor) -> Tensor:
        """Give it per row or pixel."""
        membership = self.get_buffer("membership")
        shares, p = _shares(target, output.shape[1]), output.softmax(dim=1)
        parent_p = torch.einsum("nk...,kp->np...", p, membership).clamp_min(1e-7)
        parent_y = torch.einsum("nk...,kp->np...", shares, membership)
        own = -(shares * output.log_softmax(dim=1)).sum(dim=1)
        return own - self.parent_weight * (parent_y * parent_p.log()).sum(dim=1)


class Huber(Loss):
    """Squared below delta, linear above (Huber 1964, doi:10.1214/aoms/1177703732); output (batch, 1) or (batch,)."""

    def __init__(self, delta: float = 1.0) -> None:
        super().__init__()
        self.delta = delta

    def each(self, output: Tensor, target: Tensor) -> Tensor:
        """Give it per row."""
        value = output[:, 0] if output.ndim > target.ndim else output
        return functional.huber_loss(value, torch.nan_to_num(target), reduction="none", delta=self.delta)


class GaussianNll(Loss):
    """0.5 (log s^2 + (y - m)^2 / s^2) of outputs (batch, 2): mean and log variance (Nix and Weigend 1994)."""

    n_outputs = 2

    def each(self, output: Tensor, target: Tensor) -> Tensor:
        """Give it per row."""
        log_variance = output[:, 1].clamp(-10, 10)
        return 0.5 * (log_variance + (torch.nan_to_num(target) - output[:, 0]) ** 2 * (-log_variance).exp())


def _check_share(name: str, value: float) -> float:
    if not 0 <= value < 1:
        raise ModelError(f"{name} is {value}; it is a share, at least 0 and below 1")
    return value


_losses.update({
    "cross-entropy": CrossEntropy, "focal": Focal, "class-balanced": ClassBalanced, "symmetric": SymmetricCrossEntropy,
    "generalised": GeneralisedCrossEntropy, "co-teaching": CoTeaching, "coral": Coral, "corn": Corn,
    "hierarchical": Hierarchical, "huber": Huber, "gaussian-nll": GaussianNll,
})  # fmt: skip
