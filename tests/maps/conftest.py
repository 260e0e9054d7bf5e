"""Fixtures of the map tests: a small landscape on disk, its cube, a model that counts its calls."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from landweave.grid import make_geobox


@pytest.fixture(scope="session")
def mapping() -> ModuleType:
    """The module `mapping.py` beside this file (tests are no package)."""
    spec = importlib.util.spec_from_file_location("landweave_test_mapping", Path(__file__).with_name("mapping.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def scenes(mapping: ModuleType, tmp_path: Path) -> list[Any]:
    """Two dates of 203 x 150 pixels of 10 m."""
    folder = tmp_path / "in"
    folder.mkdir()
    made = mapping.write_scenes(folder, make_geobox((500000, 5000000, 501500, 5002030), "EPSG:32633", 10))
    told = [{"id": s.id, "start": str(s.time_start), "end": str(s.time_end),
             "assets": [[a.band, a.path, a.layer] for a in s.assets]} for s in made]  # fmt: skip
    (folder / "scenes.json").write_text(json.dumps(told))
    return made


@pytest.fixture
def cubes(mapping: ModuleType, scenes: list[Any]) -> Any:
    """The cube of `scenes`."""
    return mapping.load(scenes)


@pytest.fixture
def model(mapping: ModuleType, cubes: Any) -> Any:
    """A model of three classes with the codes 3, 0 and 17."""
    return mapping.FakeModel(cubes)


PRODUCTS = ("map.tif", "map.tif.aux.xml", "proba.tif", "uncertainty.tif", "map.qml", "item.json", "model-card.json")


@pytest.fixture
def read_products() -> Any:
    """A function that gives the bytes of every product in a folder, lineage.json apart."""
    return lambda folder: {name: (Path(folder) / name).read_bytes() for name in PRODUCTS}
