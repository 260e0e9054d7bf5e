"""What a map needs before its conformal sets can be made block by block.

Receives a model, its cubes and the options; hands on the rule that tells the set of any pixel.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from landweave.cube import read_blocks
from landweave.errors import MapError
from landweave.grid import split_blocks
from landweave.maps.options import MapOptions
from landweave.models.inputs import gather_features
from landweave.models.sets import SetRule
from landweave.types import CubeSet, Predictor

__all__ = ["find_set_rule", "sample_features"]

_WINDOW_PX = 64
_MAX_WINDOWS = 49
_STEP_PX = 6
"""Every sixth pixel in both directions: neighbours tell little more."""


def find_set_rule(model: Predictor, cubes: CubeSet, options: MapOptions) -> SetRule | None:
    """Give the rule of the sets that the options ask for; None where they ask for none.

    Raises:
        MapError: If the model kept no held-out scores, or sees more of a place than its pixel and sets are to be weighted.
        ModelError: If it was trained without `conformal`.
        SourceError: If weights are asked for and a window that they are estimated from cannot be read.
    """
    if options.conformal_error is None:
        return None
    find: Any = getattr(model, "set_rule", None)
    if find is None:
        raise MapError(f"model {model.card.model} has no conformal sets; map.conformal_error needs a model trained with "
                       "model.conformal: true")  # fmt: skip
    if not options.conformal_shift:
        rule: SetRule = find(options.conformal_error)
        return rule
    if getattr(model, "predict_shift", None) is None:
        raise MapError(f"model {model.card.model} sees more of a place than its pixel, so that pixels cannot be weighed by "
                       "their features; map without conformal_shift")  # fmt: skip
    weighted: SetRule = find(options.conformal_error, map_features=sample_features(model, cubes))
    return weighted


def sample_features(model: Predictor, cubes: CubeSet) -> NDArray[np.float32]:
    """Read every sixth pixel of at most 49 windows of 64 pixels, spread evenly over the grid: (pixel, feature).

    The windows depend on the grid alone, so that the weights do not depend on how the map is cut into blocks.

    Raises:
        SourceError: If a source cannot be read.
    """
    rows, cols = cubes.geobox.shape
    windows = list(split_blocks((rows, cols), _WINDOW_PX))
    parts = []
    for at in np.unique(np.linspace(0, len(windows) - 1, _MAX_WINDOWS).astype(int)):
        names = [i.name for i in model.card.inputs if i.name in cubes.cubes]
        flat, shape = gather_features(read_blocks(cubes, windows[at], names=names), model.card.inputs)
        parts.append(flat.reshape(*shape, -1)[::_STEP_PX, ::_STEP_PX].reshape(-1, flat.shape[1]))
    found = np.concatenate(parts)
    return np.ascontiguousarray(found[~np.isnan(found).all(axis=1)])
