from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from pyproj import Transformer
from sklearn.ensemble import RandomForestClassifier

from landweave.errors import GridError, OutputExistsError
from landweave.features import series
from landweave.grid import Window, window_geobox
from landweave.imagery import SourceOptions, find_scenes
from landweave.io.files import read_json
from landweave.io.geotiff import TiffSpec, write_geotiff
from landweave.legend import Legend
from landweave.simulate import Landscape, SimulateOptions, simulate_landscape
from landweave.simulate.covers import LEGEND
from landweave.simulate.imagery import OPTICAL_BANDS
from landweave.simulate.landscape import make_grid
from landweave.types import Design


def _read(path: Path) -> np.ndarray:
    with rasterio.open(path) as src:
        return src.read()


def _features(landscape: Landscape) -> np.ndarray:
    """Gap-filled series of all pixels (pixel, time * band)."""
    stack = np.stack([_read(path) for path in landscape.scenes["sentinel-2-l2a"]]).astype(np.float32)
    values = np.where(np.isin(stack[:, -1:], (4, 5, 6)), stack[:, :-1] / 1e4, np.nan)
    filled = series.fill_linear(values, np.arange(len(stack), dtype=np.float64) * 30)
    return np.nan_to_num(filled.reshape(-1, filled.shape[-2] * filled.shape[-1]).T)


def test_all_that_is_promised_is_there(landscape: Landscape) -> None:
    assert {len(paths) for paths in landscape.scenes.values()} == {6, 1}
    assert all(path.exists() for paths in landscape.scenes.values() for path in paths)
    assert set(landscape.files) == {
        "truth", "truth_next", "change", "training", "reference", "reference_design", "legend", "recipe",
    }  # fmt: skip
    assert all(path.exists() for path in landscape.files.values())
    assert sum(landscape.shares.values()) == pytest.approx(1)


def test_scenes_are_georeferenced_and_name_their_bands(landscape: Landscape) -> None:
    with rasterio.open(landscape.scenes["sentinel-2-l2a"][0]) as src:
        assert src.descriptions == (*OPTICAL_BANDS, "scl")
        assert src.scales[0] == pytest.approx(1e-4)
        assert (src.scales[-1], src.nodata, src.dtypes[0]) == (1.0, 0, "uint16")
        assert src.crs.to_epsg() == 32633
        assert src.transform == landscape.geobox.affine
        assert src.bounds.left % 10 == 0


def test_the_landscape_lies_where_it_should(options: SimulateOptions) -> None:
    box = make_grid(options).extent.to_crs("EPSG:4326").centroid.coords[0]
    assert box == pytest.approx(options.lonlat, abs=2e-4)
    assert Transformer.from_crs("EPSG:4326", "EPSG:32633", always_xy=True).transform(*box)[0] > 0


def test_find_scenes_reads_what_was_written(landscape: Landscape) -> None:
    source = SourceOptions(
        paths=str(landscape.folder / "s2"), sensor="sentinel-2-l2a", pattern="{date:%Y%m%d}.tif", mask_band="scl",
        mask_clear=(4, 5, 6),
    )  # fmt: skip
    scenes = find_scenes(source)
    assert len(scenes) == 6
    assert scenes[0].mask is not None
    assert set(OPTICAL_BANDS) <= set(scenes[0].bands)


def test_truth_has_colours_and_shares(landscape: Landscape) -> None:
    with rasterio.open(landscape.files["truth"]) as src:
        truth, colors = src.read(1), src.colormap(1)
    assert colors[1][:3] == (0x2F, 0x6F, 0xB7)
    assert (truth == 6).mean() == pytest.approx(landscape.shares["grassland"])
    assert Legend.from_dicts(read_json(landscape.files["legend"])) == LEGEND


def test_change_is_the_difference_of_the_truths(landscape: Landscape, options: SimulateOptions) -> None:
    first, second, change = (_read(landscape.files[name])[0] for name in ("truth", "truth_next", "change"))
    assert change.mean() == pytest.approx(options.change_pct / 100, abs=0.003)
    assert (first[change == 1] != second[change == 1]).all()
    assert set(np.unique(second[(change == 0) & (first == 7)])) <= {7, 8}


def test_the_reference_sample_states_its_design(landscape: Landscape) -> None:
    frame = gpd.read_file(landscape.files["reference"])
    design = Design.model_validate(read_json(landscape.files["reference_design"]))
    assert len(frame) == design.strata[0].n_drawn == 300
    assert frame["inclusion_probability"].sum() == pytest.approx(300 * 300 / (200 * 190))
    assert frame.crs.to_epsg() == 32633


def test_a_forest_is_good_but_not_perfect(landscape: Landscape, rng: np.random.Generator) -> None:
    features, truth = _features(landscape), _read(landscape.files["truth"]).ravel()
    rows = rng.choice(truth.size, 4000, replace=False)
    forest = RandomForestClassifier(40, random_state=0).fit(features[rows[:2000]], truth[rows[:2000]])
    assert 0.75 < forest.score(features[rows[2000:]], truth[rows[2000:]]) < 0.98


def test_seed_and_workers_give_the_same_pixels(tmp_path: Path) -> None:
    made = []
    for name, workers, block_px in (("a", 1, 64), ("b", 2, 128)):
        options = SimulateOptions(rows=90, cols=100, n_dates=2, n_training_polygons=30, n_reference=50, block_px=block_px)
        made.append(simulate_landscape(tmp_path / name, options=options, workers=workers))
    for sensor, paths in made[0].scenes.items():
        for one, other in zip(paths, made[1].scenes[sensor], strict=True):
            assert np.array_equal(_read(one), _read(other))
    for name in ("training", "reference"):
        assert gpd.read_file(made[0].files[name]).equals(gpd.read_file(made[1].files[name]))


def test_a_new_landscape_leaves_no_scene_of_the_old_one(tmp_path: Path) -> None:
    small = {"rows": 60, "cols": 60, "sensors": ("sentinel-2-l2a",), "n_training_polygons": 20, "n_reference": 20}
    for dates in (3, 2):
        land = simulate_landscape(tmp_path, options=SimulateOptions(n_dates=dates, **small))
    assert sorted((tmp_path / "s2").iterdir()) == sorted(land.scenes["sentinel-2-l2a"])


def test_real_scenes_in_the_folder_are_never_removed(tmp_path: Path, options: SimulateOptions) -> None:
    grid = window_geobox(make_grid(options), Window(0, 0, 4, 4))
    real = tmp_path / "s2" / "20230101.tif"
    write_geotiff(real, grid, TiffSpec("uint16", ("blue",)), [(Window(0, 0, 4, 4), np.ones((1, 4, 4), np.uint16))])
    with pytest.raises(OutputExistsError, match="choose another folder"):
        simulate_landscape(tmp_path, options=options)
    assert real.exists()


def test_both_years_and_strata_on_demand(tmp_path: Path) -> None:
    options = SimulateOptions(
        rows=64, cols=64, n_dates=1, sensors=("sentinel-2-l2a",), second_year_imagery=True, design="stratified",
        n_training_polygons=20, n_reference=40,
    )  # fmt: skip
    land = simulate_landscape(tmp_path, options=options)
    assert [p.parent.name for p in land.scenes["sentinel-2-l2a"]] == ["s2", "s2_2024"]
    assert land.files["strata"].exists()


def test_a_crs_in_degrees_is_refused() -> None:
    with pytest.raises(GridError, match="needs one in metres"):
        make_grid(SimulateOptions(crs="EPSG:4326"))
