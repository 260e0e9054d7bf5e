"""Data flows one way through the rooms; importing the package is cheap; docstrings agree with signatures."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "landweave"
RANKS = [
    ["errors"], ["legend", "grid"], ["types"], ["metrics", "io"], ["imagery", "sensors"], ["features"], ["cube"], ["samples"],
    ["models"], ["label"], ["maps"], ["change"], ["assess"], ["web"], ["simulate", "bench"], ["recipe", "cli"],
]  # fmt: skip
RANK = {room: rank for rank, rooms in enumerate(RANKS) for room in rooms}
# rooms of one rank that may look at each other, in this direction only
ALLOWED_BESIDE = {("imagery", "sensors"), ("cli", "recipe")}
MODULES = sorted(SOURCE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""] if "." in (node.module or "") else [f"{node.module}.{a.name}" for a in node.names]
            names = names if not node.level else []
        elif isinstance(node, ast.Import):
            names = [a.name for a in node.names]
        else:
            continue
        rooms |= {n.split(".")[1] for n in names if n.startswith("landweave.")}
    return rooms & set(RANK)


def functions(path: Path) -> list[ast.FunctionDef]:
    return [n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.FunctionDef)]


@pytest.mark.parametrize("path", [p for p in MODULES if room_of(p) != "__init__"], ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_go_down_only(path):
    here = room_of(path)
    assert here in RANK, f"{here} is not a room of the house"
    wrong = {r for r in imported_rooms(path) if r != here and RANK[r] >= RANK[here] and (here, r) not in ALLOWED_BESIDE}
    assert not wrong, f"{here} (rank {RANK[here]}) imports {sorted(wrong)}"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_docstring_arguments_match_the_signature(path):
    for node in functions(path):
        section = re.search(r"^Args:\n((?:[ \t]+.*\n?|\n)+)", ast.get_docstring(node) or "", re.M)
        if section:
            documented = set(re.findall(r"^ {4}\*{0,2}(\w+)(?: \(.*?\))?:", section[1], re.M))
            a = node.args
            real = {x.arg for x in [*a.posonlyargs, *a.args, *a.kwonlyargs, *filter(None, [a.vararg, a.kwarg])]}
            assert documented == real - {"self", "cls"}, f"{path}:{node.lineno} {node.name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_no_assert_and_no_print_in_the_library(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not [n.lineno for n in ast.walk(tree) if isinstance(n, ast.Assert)]
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == "print"]
    assert not [n.lineno for n in calls]


def test_import_pulls_in_nothing_heavy():
    heavy = ["torch", "distributed", "dask", "fastapi", "catboost", "sklearn", "rasterio", "geopandas", "numba", "xarray",
             "pandas"]  # fmt: skip
    code = f"import sys, landweave; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_of_the_package_loads():
    import landweave

    for name in landweave.__all__:
        assert getattr(landweave, name) is not None
