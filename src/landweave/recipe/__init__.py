"""A recipe says what goes into a map; running it calls the stages one after the other."""

from __future__ import annotations

from landweave.recipe.document import ClassOptions, Recipe, read_recipe, recipe_schema
from landweave.recipe.produce import Production, TileResult, produce_tiles
from landweave.recipe.run import Job, RunResult, run_recipe

__all__ = [
    "ClassOptions",
    "Job",
    "Production",
    "Recipe",
    "RunResult",
    "TileResult",
    "produce_tiles",
    "read_recipe",
    "recipe_schema",
    "run_recipe",
]
