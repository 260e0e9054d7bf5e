"""Make a run again from its lineage, and compare the products with what the lineage recorded."""

from __future__ import annotations

import shutil
from pathlib import Path

from landweave.errors import RecipeError
from landweave.io.files import sha256_file
from landweave.io.lineage import Lineage, list_versions, read_lineage
from landweave.recipe.document import check_recipe
from landweave.recipe.run import run_recipe
from landweave.types import Progress

__all__ = ["rerun_lineage"]


def rerun_lineage(
    lineage: Path | str, folder: Path | str, *, workers: int = 1, memory: str = "2GiB", overwrite: bool = False,
    progress: Progress | None = None,
) -> list[tuple[str, str, str]]:  # fmt: skip
    """Run the recipe of a lineage again.

    Args:
        lineage: A `lineage.json`, or the folder that holds it.
        folder: Where the new products go.
        workers: Threads.
        memory: Budget of the process.
        overwrite: Start anew where the folder holds another run's result.
        progress: Told of every step.

    Returns:
        A row per recorded product: its path, "yes" or "no" for the same bytes, and what may explain a difference.

    Raises:
        RecipeError: If the lineage holds no recipe, or an input file has changed since.
    """
    before = read_lineage(lineage)
    if before.recipe is None:
        raise RecipeError(f"{lineage} holds no recipe: it was written by a stage that was called alone; run that stage again")
    _check_inputs(before)
    recipe = check_recipe(before.recipe, source=lineage, lines={})
    _take_items(before, Path(folder))
    run_recipe(recipe, folder, workers=workers, memory=memory, overwrite=overwrite, progress=progress)
    return _compare(before, Path(folder))


def _take_items(lineage: Lineage, folder: Path) -> None:
    """Copy the items that the earlier run found in catalogues, so that the same ones are read again."""
    for stage in lineage.stages:
        for file in stage.inputs:
            if Path(file.path).parent.name == "items" and Path(file.path).is_file():
                (folder / "items").mkdir(parents=True, exist_ok=True)
                shutil.copy2(file.path, folder / "items" / Path(file.path).name)


def _check_inputs(lineage: Lineage) -> None:
    for stage in lineage.stages:
        for file in stage.inputs:
            path = Path(file.path)
            if file.sha256 and path.is_absolute() and path.is_file() and sha256_file(path) != file.sha256:
                raise RecipeError(f"{path} has changed since the {stage.name} stage read it (sha256 was {file.sha256[:12]}); "
                                  "the run cannot be repeated; use `landweave run` for a new one")  # fmt: skip


def _compare(before: Lineage, folder: Path) -> list[tuple[str, str, str]]:
    now = list_versions()
    changed = [f"{k} {v} -> {now.get(k, 'none')}" for k, v in before.versions.items() if now.get(k) != v]
    rows = []
    for stage in before.stages:
        for file in stage.outputs:
            path = folder / file.path
            if file.sha256 is None or not path.is_file():
                continue
            same = sha256_file(path) == file.sha256
            rows.append((file.path, "yes" if same else "no", "" if same else ", ".join(changed) or "same versions"))
    return rows
