"""Several labellers per place: consensus, how good each labeller is, and the risk of believing the consensus.

Receives votes (place, labeller); hands on posteriors (place, class), confusion matrices of the labellers, and risks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from landweave.errors import SampleError

__all__ = ["Consensus", "ConsensusMethod", "bayes_risk", "dawid_skene", "find_consensus", "majority_vote"]

ConsensusMethod = Literal["majority", "dawid-skene"]


@dataclass(frozen=True)
class Consensus:
    """What several labellers say together.

    Attributes:
        posterior: Probability of each class (place, class); NaN where nobody gave a label.
        label: Most probable class_index (place,); -1 where nobody gave a label or classes tie.
        prevalence: Share of each class (class,).
        confusion: Chance that a labeller says m where the truth is j (labeller, j, m); for the majority, measured against it.
        quality: Chance that a labeller is right at a place drawn at random (labeller,).
        n_votes: Labels that each labeller gave (labeller,).
        n_rounds: Rounds of expectation and maximisation; 0 for the majority.
        log_likelihood: Of the votes; NaN for the majority.
    """

    posterior: NDArray[np.float64]
    label: NDArray[np.int64]
    prevalence: NDArray[np.float64]
    confusion: NDArray[np.float64]
    quality: NDArray[np.float64]
    n_votes: NDArray[np.int64]
    n_rounds: int = 0
    log_likelihood: float = float("nan")


def find_consensus(
    votes: NDArray[np.integer], *, n_classes: int, method: ConsensusMethod = "dawid-skene",
    weights: NDArray[np.floating] | None = None,
) -> Consensus:  # fmt: skip
    """Join votes by `majority_vote` or `dawid_skene`.

    Args:
        votes: class_index (place, labeller), -1 where a labeller gave none.
        n_classes: Number of classes.
        method: Which.
        weights: How many places each row of votes stands for (place,); 1 by default.

    Raises:
        SampleError: If the method is unknown or the votes are not as said.
    """
    if method == "majority":
        return majority_vote(votes, n_classes=n_classes, weights=weights)
    if method == "dawid-skene":
        return dawid_skene(votes, n_classes=n_classes, weights=weights)
    raise SampleError(f"no consensus named {method!r}; known: majority, dawid-skene")


def majority_vote(
    votes: NDArray[np.integer], *, n_classes: int, weights: NDArray[np.floating] | None = None
) -> Consensus:
    """Take the commonest label of each place; every labeller counts alike.

    Args:
        votes: class_index (place, labeller), -1 where a labeller gave none.
        n_classes: Number of classes.
        weights: How many places each row stands for (place,); 1 by default.

    Returns:
        Shares of the votes as posterior; -1 where classes tie.

    Raises:
        SampleError: If votes are not (place, labeller) of indices -1..K-1, or nobody voted.
    """
    one_hot, w = _one_hot(votes, n_classes), _weights(votes, weights)
    posterior = _shares(one_hot)
    prevalence, confusion = _maximise(one_hot, np.nan_to_num(posterior) * w, 0.0)
    return _finish(one_hot * w[:, :, None], posterior, prevalence, confusion)


def dawid_skene(
    votes: NDArray[np.integer], *, n_classes: int, max_rounds: int = 200, tolerance: float = 1e-6, pseudo: float = 0.1,
    weights: NDArray[np.floating] | None = None,
) -> Consensus:  # fmt: skip
    """Estimate truth and labellers' confusion together (Dawid and Skene 1979, doi:10.2307/2346806, eqs. 2.3 to 2.5).

    Expectation: the posterior of a place's truth is the prevalence times the chances of all its votes; maximisation: the
    prevalence and confusions that the posteriors imply. Starts from the shares of the votes. With two labellers per place the
    model cannot tell who is right where they disagree, but for what prevalence says; with one it only repeats them.

    Args:
        votes: class_index (place, labeller), -1 where a labeller gave none.
        n_classes: Number of classes.
        max_rounds: At most so many rounds.
        tolerance: Ends when no posterior moves by more.
        pseudo: Votes added to every cell of every labeller's confusion, so that a class that a labeller never met does not
            make a vote impossible; spread by the diagonal (half on it, half beside it).
        weights: How many places each row stands for (place,), where rows with the same votes were put together; 1 by default.

    Raises:
        SampleError: If votes are not (place, labeller) of indices -1..K-1, or nobody voted.
    """
    one_hot, w = _one_hot(votes, n_classes), _weights(votes, weights)
    shares = _shares(one_hot)
    voted = ~np.isnan(shares[:, 0])
    posterior, rounds, likelihood = np.nan_to_num(shares), 0, float("nan")
    prevalence, confusion = _maximise(one_hot, posterior * w, pseudo)
    for _ in range(max_rounds):
        rounds += 1
        log = np.log(np.maximum(prevalence, 1e-300)) + np.einsum(
            "plm,ljm->pj", one_hot, np.log(np.maximum(confusion, 1e-300)), optimize=True
        )
        top = log.max(axis=1, keepdims=True)
        weight = np.exp(log - top)
        total = weight.sum(axis=1, keepdims=True)
        moved = weight / total * voted[:, None]
        likelihood = float((w[:, 0] * (top[:, 0] + np.log(total[:, 0])))[voted].sum())
        step = float(np.abs(moved - posterior).max())
        posterior = moved
        prevalence, confusion = _maximise(one_hot, posterior * w, pseudo)
        if step < tolerance:
            break
    posterior[~voted] = np.nan
    return _finish(one_hot * w[:, :, None], posterior, prevalence, confusion, rounds, likelihood)


def bayes_risk(
    posterior: NDArray[np.floating], *, loss: NDArray[np.floating] | None = None, axis: int = -1
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Give the decision of least expected loss and that loss, place by place or pixel by pixel: the Bayesian risk.

    Args:
        posterior: Probabilities with the classes on `axis`: (place, class), or (class, y, x) with axis 0. NaN is no place.
        loss: Cost of saying a where j is true (j, a); 1 for every error by default, so that the risk is 1 - max p.
        axis: Where the classes are.

    Returns:
        class_index of the decision (-1 where NaN), and its risk (NaN where NaN).

    Raises:
        SampleError: If the loss does not fit the classes or is negative.
    """
    p = np.moveaxis(np.asarray(posterior, dtype=np.float64), axis, -1)
    k = p.shape[-1]
    cost = 1 - np.eye(k) if loss is None else np.asarray(loss, dtype=np.float64)
    if cost.shape != (k, k) or not (cost >= 0).all():
        raise SampleError(f"loss has shape {cost.shape} for {k} classes; give costs of 0 or more as (true, said)")
    expected = p @ cost
    missing = np.asarray(np.isnan(expected).any(axis=-1))
    filled = np.where(missing[..., None], 0, expected)
    return np.where(missing, -1, filled.argmin(axis=-1)), np.where(missing, np.nan, filled.min(axis=-1))


def _one_hot(votes: NDArray[np.integer], n_classes: int) -> NDArray[np.float64]:
    v = np.asarray(votes)
    if v.ndim != 2 or v.dtype.kind not in "iu":
        raise SampleError(f"votes are {v.dtype} of shape {v.shape}; give class indices (place, labeller), -1 for no vote")
    if v.max(initial=-1) >= n_classes or v.min(initial=0) < -1:
        raise SampleError(f"votes run from {v.min()} to {v.max()} with {n_classes} classes; give -1 (none) to {n_classes - 1}")
    if v.max(initial=-1) < 0:
        raise SampleError(f"none of the {v.shape[0]} places has a vote of any of the {v.shape[1]} labellers")
    return np.equal.outer(v, np.arange(n_classes)).astype(np.float64)


def _weights(votes: NDArray[np.integer], weights: NDArray[np.floating] | None) -> NDArray[np.float64]:
    w = np.ones(len(votes)) if weights is None else np.asarray(weights, dtype=np.float64)
    if w.shape != (len(votes),) or not (w > 0).all():
        raise SampleError(f"weights have shape {w.shape} for {len(votes)} rows of votes; give one number above 0 for each row")
    return w[:, None]


def _shares(one_hot: NDArray[np.float64]) -> NDArray[np.float64]:
    counts = np.asarray(one_hot.sum(axis=1))
    total = counts.sum(axis=1, keepdims=True)
    return np.asarray(np.where(total > 0, counts / np.maximum(total, 1), np.nan))


def _maximise(
    one_hot: NDArray[np.float64], posterior: NDArray[np.float64], pseudo: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    k = one_hot.shape[2]
    prevalence = posterior.sum(axis=0) / max(posterior.sum(), 1e-300)
    counts = np.einsum("pj,plm->ljm", posterior, one_hot, optimize=True)
    beside = (np.ones((k, k)) - np.eye(k)) / max(k - 1, 1)
    counts = counts + pseudo * (np.eye(k) + beside) / 2 * k
    total = counts.sum(axis=2, keepdims=True)
    return prevalence, np.where(total > 0, counts / np.maximum(total, 1e-300), 1 / k)


def _finish(
    one_hot: NDArray[np.float64], posterior: NDArray[np.float64], prevalence: NDArray[np.float64],
    confusion: NDArray[np.float64], n_rounds: int = 0, log_likelihood: float = float("nan"),
) -> Consensus:  # fmt: skip
    p = np.nan_to_num(posterior)
    top = p.max(axis=1)
    clear = (top > 0) & ((p >= top[:, None] - 1e-9).sum(axis=1) == 1)
    quality = np.einsum("j,ljj->l", prevalence, confusion)
    votes = np.rint(one_hot.sum(axis=(0, 2))).astype(np.int64)
    return Consensus(posterior, np.where(clear, p.argmax(axis=1), -1), prevalence, confusion, quality, votes, n_rounds,
                     log_likelihood)  # fmt: skip
