"""One map from several of the same place: each is a labeller, and what they confuse is estimated from their votes.

Receives finished maps of the same pixels; hands on a map of the consensus with its posterior, the labellers' quality, and the
risk of believing a map's classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import landweave
from landweave.errors import GridError, MapError
from landweave.grid import Window, crs_of, split_blocks
from landweave.io.cog import CogSpec, write_cog
from landweave.io.files import sha256_file, write_json
from landweave.io.rasters import read_window
from landweave.label.consensus import Consensus, ConsensusMethod, bayes_risk, find_consensus
from landweave.legend import Legend
from landweave.maps.opening import open_map
from landweave.maps.refining import Refinement, check_has_proba, read_proba, run_refinement
from landweave.maps.tasks import LEVELS, PROBA_NODATA, Products, summarise_proba
from landweave.types import MapProduct, Progress

__all__ = ["AgreedMaps", "agree_maps", "make_loss", "write_risk"]

_BLOCK_PX = 512


@dataclass(frozen=True)
class AgreedMaps:
    """A map that several make together.

    Attributes:
        product: The consensus: map.tif, proba.tif (the posterior), uncertainty.tif, risk.tif, consensus.json.
        names: Of the maps, as labellers.
        consensus: Prevalence, confusion and quality of the maps.
        mean_risk: Mean over the pixels that have a class.
        all_agree: Share of the pixels with a class at which all maps that have one agree.
    """

    product: MapProduct
    names: tuple[str, ...]
    consensus: Consensus
    mean_risk: float
    all_agree: float


def agree_maps(
    paths: Sequence[Path | str], folder: Path | str, *, method: ConsensusMethod = "dawid-skene",
    loss: Mapping[tuple[str, str], float] | None = None, workers: int = 1, overwrite: bool = False,
    progress: Progress | None = None,
) -> AgreedMaps:  # fmt: skip
    """Join maps of the same pixels (by several interpreters, models or products) into one, and say how good each of them is.

    Pixels with the same votes are put together, so that Dawid and Skene's model (see `label.dawid_skene`) is fitted to all
    pixels however large the maps. It takes labellers to err independently given the truth: maps made from the same samples
    share errors, which no consensus sees.

    Args:
        paths: Folders of maps or classified rasters, two or more, on one grid and with the same class names.
        folder: Where the consensus goes.
        method: `majority` or `dawid-skene`.
        loss: Cost of (true class, said class); 1 for every error that is not named.
        workers: Blocks computed at the same time.
        overwrite: Start anew where the folder holds another result.
        progress: Told of every finished block.

    Raises:
        MapError: If there are fewer than two maps, or their classes differ.
        GridError: If they are on different grids.
        OutputExistsError: If the folder holds another result, or is a map's own.
    """
    products = [open_map(p) for p in paths]
    legend = _check(products)
    patterns, counts = _count_votes(products, legend)
    found = find_consensus(patterns, n_classes=len(legend), method=method, weights=counts)
    base = len(legend) + 1
    keys = _pattern_keys(patterns, base)
    decision, risk_of = bayes_risk(found.posterior, loss=make_loss(legend, loss))

    def compute(window: Window) -> Products:
        votes = _read_votes(products, legend, window)
        flat = _pattern_keys(votes.reshape(-1, len(products)), base)
        at = np.searchsorted(keys, flat).clip(0, len(keys) - 1)
        voted = (keys[at] == flat)[:, None]
        proba = np.where(voted, found.posterior[at], np.nan).astype(np.float32).T
        shape = (len(legend), window.height, window.width)
        parts = summarise_proba(np.ascontiguousarray(proba).reshape(shape), legend, products=("map", "proba", "uncertainty"))
        return parts | {"map": legend.to_codes(np.where(voted[:, 0], decision[at], -1)).reshape(parts["map"].shape)}

    options = {"method": method, "maps": [p.checksum for p in products], "loss": _loss_options(loss)}
    job = Refinement(products[0], Path(folder), "consensus", options, legend, ("map", "proba", "uncertainty"), compute,
                     inputs=tuple(p.files["map"] for p in products))  # fmt: skip
    made = run_refinement(job, workers=workers, overwrite=overwrite, progress=progress)
    risk = write_risk(made, loss=loss, threads=workers)
    alike = np.array([len(set(row[row >= 0])) == 1 for row in patterns])
    names = _names(paths)
    mean_risk = float(np.average(risk_of, weights=counts))
    agreed = AgreedMaps(made, names, found, mean_risk, float(counts[alike].sum() / counts.sum()))
    write_json(made.folder / "consensus.json", _describe(agreed, options, risk))
    return agreed


def write_risk(
    product: MapProduct, *, loss: Mapping[tuple[str, str], float] | None = None, path: Path | None = None, threads: int = 1
) -> Path:
    """Write the Bayesian risk of every pixel: the loss to be expected from the decision that makes it least.

    With equal costs it is 1 - p of the most probable class. Stored as uint8 with the scale that stands in the file: 250 steps
    from 0 to the largest cost; 255 is nodata.

    Args:
        product: A map with proba.tif.
        loss: Cost of (true class, said class); 1 for every error that is not named.
        path: The file; `risk.tif` beside the map by default.
        threads: Threads that compress.

    Raises:
        MapError: If the map has no probabilities.
        LegendError: If a cost names an unknown class.
    """
    check_has_proba(product)
    costs = make_loss(product.legend, loss)
    largest = float(costs.max())

    def read(window: Window) -> NDArray[np.uint8]:
        _, risk = bayes_risk(read_proba(product, window), loss=costs, axis=0)
        stored = np.rint(np.nan_to_num(risk) / largest * LEVELS).astype(np.uint8)
        return np.where(np.isnan(risk), np.uint8(PROBA_NODATA), stored)[None]

    spec = CogSpec("uint8", 1, PROBA_NODATA, "average", ("risk",), scale=largest / LEVELS, level=1)
    return write_cog(path or product.folder / "risk.tif", product.geobox, read, spec, threads=threads)


def make_loss(legend: Legend, loss: Mapping[tuple[str, str], float] | None) -> NDArray[np.float64]:
    """Lay costs out as (true class, said class).

    Raises:
        LegendError: If a class is unknown.
        MapError: If a cost is negative, or all are 0.
    """
    costs = 1 - np.eye(len(legend))
    for (true, said), cost in (loss or {}).items():
        if cost < 0:
            raise MapError(f"the cost of {said!r} where {true!r} is true is {cost:g}; costs are 0 or more")
        costs[legend.index_of(true), legend.index_of(said)] = cost
    if not costs.max() > 0:
        raise MapError("all costs are 0, so that no decision is better than another; give one above 0")
    return costs


def _loss_options(loss: Mapping[tuple[str, str], float] | None) -> dict[str, float]:
    return {f"{true}={said}": cost for (true, said), cost in (loss or {}).items()}


def _check(products: Sequence[MapProduct]) -> Legend:
    if len(products) < 2:
        raise MapError(f"{len(products)} map is given; a consensus needs two, better three")
    first = products[0]
    for other in products[1:]:
        if set(other.legend.names) != set(first.legend.names):
            odd = ", ".join(sorted(set(other.legend.names) ^ set(first.legend.names)))
            raise MapError(f"the maps differ in their classes ({odd}); bring them to one legend first (landweave aggregate)")
        same = (crs_of(other.geobox) == crs_of(first.geobox) and other.geobox.affine == first.geobox.affine
                and other.geobox.shape == first.geobox.shape)  # fmt: skip
        if not same:
            raise GridError(f"{other.files['map']} is on another grid than {first.files['map']}; warp it to the first one's")
    return first.legend


def _names(paths: Sequence[Path | str]) -> tuple[str, ...]:
    stems = [Path(p).stem if Path(p).suffix else Path(p).name for p in paths]
    return tuple(s if stems.count(s) == 1 else str(p) for s, p in zip(stems, paths, strict=True))


def _read_votes(products: Sequence[MapProduct], legend: Legend, window: Window) -> NDArray[np.int64]:
    """Give class indices (y, x, map) of the first map's legend, -1 where a map has no class."""
    layers = []
    for product in products:
        data, valid = read_window(str(product.files["map"]), [1], product.geobox, window)
        index = product.legend.to_index(np.where(valid[0], data[0], product.legend.nodata).astype(np.int64))
        to_first = np.array([*(legend.index_of(name) for name in product.legend.names), -1])
        layers.append(to_first[index])
    return np.stack(layers, axis=-1)


def _pattern_keys(votes: NDArray[np.int64], base: int) -> NDArray[np.int64]:
    """Number rows of votes (row, map) so that equal rows have equal numbers."""
    return np.asarray((votes + 1) @ (base ** np.arange(votes.shape[1], dtype=np.int64)))


def _count_votes(products: Sequence[MapProduct], legend: Legend) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Give the patterns of votes that occur (pattern, map), in the order of their numbers, and how many pixels have each."""
    base, n = len(legend) + 1, len(products)
    if n * np.log2(base) > 62:
        raise MapError(f"{n} maps of {len(legend)} classes have too many combinations to be counted; join fewer maps at a time")
    shape = products[0].geobox.shape
    seen: dict[int, int] = {}
    for window in split_blocks((shape[0], shape[1]), _BLOCK_PX):
        keys = _pattern_keys(_read_votes(products, legend, window).reshape(-1, n), base)
        for key, count in zip(*np.unique(keys, return_counts=True), strict=True):
            seen[int(key)] = seen.get(int(key), 0) + int(count)
    seen.pop(0, None)  # nobody voted
    if not seen:
        raise MapError(f"none of the {shape[0] * shape[1]} pixels has a class on any of the {n} maps")
    numbers = np.array(sorted(seen), dtype=np.int64)
    digits = numbers[:, None] // (base ** np.arange(n, dtype=np.int64)) % base
    return digits - 1, np.array([seen[int(k)] for k in numbers], dtype=np.float64)


def _describe(made: AgreedMaps, options: Mapping[str, Any], risk: Path) -> dict[str, Any]:
    found, classes = made.consensus, made.product.legend.names
    return {
        "options": dict(options), "landweave": landweave.__version__, "mean_risk": made.mean_risk, "all_agree": made.all_agree,
        "prevalence": dict(zip(classes, found.prevalence.tolist(), strict=True)), "rounds": found.n_rounds,
        "maps": [{"name": name, "n_px": int(found.n_votes[i]), "quality": float(found.quality[i]),
                  "confusion": found.confusion[i].tolist()} for i, name in enumerate(made.names)],
        "classes": list(classes), "outputs": {risk.name: sha256_file(risk)},
    }  # fmt: skip
