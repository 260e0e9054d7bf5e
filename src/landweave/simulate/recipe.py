"""The recipe that belongs to a simulated landscape, as plain values for YAML."""

from __future__ import annotations

from typing import Any

from landweave.simulate.covers import LEGEND
from landweave.simulate.options import SimulateOptions


def make_recipe(options: SimulateOptions, design: dict[str, Any] | None) -> dict[str, Any]:
    """Make the recipe that maps a landscape's first year; all paths are relative to the landscape's folder.

    Args:
        options: What was simulated.
        design: The reference sample's design where it is stratified.
    """
    season = {"start": f"{options.year}-01-01", "end": f"{options.year + 1}-01-01"}
    return {
        "name": "simulated",
        "title": "A simulated landscape",
        "attribution": "simulated by Landweave, no observation",
        "licence": "CC0-1.0",
        "legend": [{"code": c.code, "name": c.name, "color": c.color, "definition": c.definition} for c in LEGEND],
        "imagery": _sources(options),
        "samples": {"reference": "training.gpkg", "class_column": "class", "labeller_column": "labeller", **season,
                    "max_per_polygon": 20, "seed": options.seed},
        "reference": {"reference": "reference.gpkg", "class_column": "class", **season, "purpose": "reference",
                      "stratum_column": "stratum", "probability_column": "inclusion_probability",
                      "design": _design(options, design)},
        "split": {"by": "block", "block_size_m": _block_size_m(options), "n_folds": 5},
        "model": {"name": "random-forest", "missing": "fill"},
    }  # fmt: skip


def _sources(options: SimulateOptions) -> dict[str, Any]:
    sources: dict[str, Any] = {}
    if "sentinel-2-l2a" in options.sensors:
        sources["s2"] = {"paths": "s2", "sensor": "sentinel-2-l2a", "pattern": "{date:%Y%m%d}.tif", "mask_band": "scl",
                         "mask_clear": [4, 5, 6]}  # fmt: skip
    if "sentinel-1-rtc" in options.sensors:
        sources["s1"] = {"paths": "s1", "sensor": "sentinel-1-rtc", "pattern": "{date:%Y%m%d}.tif"}
    if "dem" in options.sensors:
        sources["dem"] = {"paths": "dem.tif", "sensor": "dem", "static": True}
    return sources


def _design(options: SimulateOptions, design: dict[str, Any] | None) -> dict[str, Any]:
    stated: dict[str, Any] = {"kind": options.design, "unit": f"pixel {options.resolution_m:g} m", "seed": options.seed}
    if design is not None:
        stated["map_checksum"] = design["strata_checksum"]
        stated["strata"] = [{k: s[k] for k in ("name", "size_px", "area_ha", "code")} for s in design["strata"]]
    return stated


def _block_size_m(options: SimulateOptions) -> float:
    """A tenth of the landscape, so that there are about a hundred blocks."""
    return float(round(max(options.rows, options.cols) * options.resolution_m / 10, -1))
