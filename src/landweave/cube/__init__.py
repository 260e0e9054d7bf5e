"""Scenes and a grid become cubes: load, mask, harmonise, mosaic, composite, fill; blocks and seasons of them."""

from landweave.cube.blocks import read_blocks
from landweave.cube.load import load_cube
from landweave.cube.options import CubeOptions
from landweave.cube.season import make_inputs, season_windows, select_season

__all__ = ["CubeOptions", "load_cube", "make_inputs", "read_blocks", "season_windows", "select_season"]
