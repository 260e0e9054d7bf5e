"""Fixtures of the map tests: a small landscape on disk, its cube, a model that counts its calls."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from landweave.grid import make_geobox
from landweave.maps import MapOptions, predict_map


@pytest.fixture(scope="session")
def mapping() -> ModuleType:
    """The module `mapping.py` beside this file (tests are no package)."""
    spec = importlib.util.spec_from_file_location("landweave_test_mapping", Path(__file__).with_name("mapping.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GEOBOX = make_geobox((500000, 5000000, 501500, 5002030), "EPSG:32633", 10)


@pytest.fixture
def scenes(mapping: ModuleType, tmp_path: Path) -> list[Any]:
    """Two dates of 203 x 150 pixels of 10 m."""
    (tmp_path / "in").mkdir()
    return mapping.write_scenes(tmp_path / "in", GEOBOX)


@pytest.fixture
def cubes(mapping: ModuleType, scenes: list[Any]) -> Any:
    """The cube of `scenes`."""
    return mapping.load(scenes)


@pytest.fixture
def model(mapping: ModuleType, cubes: Any) -> Any:
    """A model of three classes with the codes 3, 0 and 17."""
    return mapping.FakeModel(cubes)


PRODUCTS = ("map.tif", "map.tif.aux.xml", "proba.tif", "uncertainty.tif", "map.qml", "item.json", "model-card.json")


@pytest.fixture(scope="session")
def read_products() -> Any:
    """A function that gives the bytes of every product in a folder, lineage.json apart."""
    return lambda folder: {name: (Path(folder) / name).read_bytes() for name in PRODUCTS}


@pytest.fixture(scope="session")
def undisturbed(mapping: ModuleType, read_products: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The products of `model` and `cubes` from an undisturbed run in one block."""
    folder = tmp_path_factory.mktemp("undisturbed")
    cubes = mapping.load(mapping.write_scenes(folder, GEOBOX))
    predict_map(mapping.FakeModel(cubes), cubes, folder / "out", options=MapOptions(block_px=1024))
    return read_products(folder / "out")
