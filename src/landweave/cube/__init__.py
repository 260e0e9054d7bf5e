"""Scenes and a grid become cubes: load, mask, harmonise, mosaic, composite, fill; blocks and seasons of them."""

from landweave.cube.blocks import read_blocks
from landweave.cube.coverage import Coverage, CoverageOptions, assess_coverage
from landweave.cube.coverage_files import write_coverage
from landweave.cube.grids import Tile, find_tile, list_tiles
from landweave.cube.load import load_cube
from landweave.cube.options import CubeOptions
from landweave.cube.season import make_inputs, season_windows, select_season
from landweave.cube.store import CubeSize, estimate_size, list_sources, open_cube, write_cube

__all__ = [
    "Coverage",
    "CoverageOptions",
    "CubeOptions",
    "CubeSize",
    "Tile",
    "assess_coverage",
    "estimate_size",
    "find_tile",
    "list_sources",
    "list_tiles",
    "load_cube",
    "make_inputs",
    "open_cube",
    "read_blocks",
    "season_windows",
    "select_season",
    "write_coverage",
    "write_cube",
]
