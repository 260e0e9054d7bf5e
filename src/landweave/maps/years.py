"""Annual maps smoothed together: a hidden Markov model per pixel over their probabilities.

Receives folders of finished maps, a year each; hands on a folder with a refined map for each of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from landweave.errors import MapError
from landweave.grid import Window
from landweave.maps.opening import open_map
from landweave.maps.refining import Refinement, check_has_proba, read_proba, run_refinement
from landweave.maps.tasks import Products, summarise_proba
from landweave.maps.temporal import SeriesOptions, find_path, make_transition, smooth_series
from landweave.types import MapProduct, Progress

__all__ = ["smooth_years"]


def smooth_years(
    paths: Sequence[Path | str], folder: Path | str, *, options: SeriesOptions | None = None, workers: int = 1,
    overwrite: bool = False, progress: Progress | None = None,
) -> list[MapProduct]:  # fmt: skip
    """Smooth annual maps in time and write one for each into `<folder>/<name of the map's folder>/`.

    With `forward-backward` each map comes with proba.tif and uncertainty.tif; with `viterbi` it is map.tif alone, as a
    sequence has no probabilities per year. Pixels without observation in a year are filled from the other years.

    Args:
        paths: Folders of maps with proba.tif, in the order of the years, one year apart, on one grid, with one legend.
        folder: Where the new maps go.
        options: Method and what is known of changes.
        workers: Blocks computed at the same time.
        overwrite: Start anew where a folder holds another result.
        progress: Told of every finished block.

    Raises:
        MapError: If there are fewer than two maps, their folders have the same name, or a map has another grid or legend or
            no probabilities.
        OutputExistsError: If a folder holds another result.
    """
    options = options or SeriesOptions()
    products = [open_map(p) for p in paths]
    _check_years(products)
    legend = products[0].legend
    transition = make_transition(legend, options)
    layers: tuple[str, ...] = ("map", "proba", "uncertainty") if options.method == "forward-backward" else ("map",)

    def compute(year: int, window: Window) -> Products:
        proba = np.stack([read_proba(p, window) for p in products])
        if options.method == "viterbi":
            return {"map": legend.to_codes(find_path(proba, transition)[year])[None]}
        return summarise_proba(smooth_series(proba, transition)[year], legend, products=layers)

    keys = {"series": options.model_dump(mode="json"), "maps": [p.checksum for p in products]}
    made = []
    for year, product in enumerate(products):
        target = Path(folder) / product.folder.name
        job = Refinement(product, target, "smooth-years", {**keys, "year": year}, legend, layers, partial(compute, year))
        made.append(run_refinement(job, workers=workers, overwrite=overwrite, progress=progress))
    return made


def _check_years(products: Sequence[MapProduct]) -> None:
    if len(products) < 2:
        raise MapError(f"{len(products)} map(s) to smooth in time; give at least two, in the order of the years")
    names = [p.folder.name for p in products]
    if len(set(names)) < len(names):
        raise MapError(f"the maps' folders are called {', '.join(names)}; give each year a folder of its own name")
    first = products[0]
    for product in products:
        check_has_proba(product)
        if product.geobox != first.geobox:
            raise MapError(f"map {product.folder} is on another grid than {first.folder}; make all years on one grid")
        if product.legend != first.legend:
            raise MapError(f"map {product.folder} has the classes {', '.join(product.legend.names)}, {first.folder} has "
                           f"{', '.join(first.legend.names)}; all years need one legend")  # fmt: skip
