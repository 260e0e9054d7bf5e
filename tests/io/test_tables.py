from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest

from landweave.errors import SampleError, SourceError
from landweave.io.tables import read_samples, rejected_path, write_samples
from landweave.legend import Legend
from landweave.types import SAMPLE_COLUMNS, Design, ModelInput, SampleTable, Season, SeasonStep, StratumInfo


@pytest.fixture
def samples() -> SampleTable:
    steps = tuple(SeasonStep(from_day=d, to_day=d + 10) for d in (0, 10))
    season = Season(start="09-01", length_days=20, steps=steps)
    spec = ModelInput(bands=("ndvi",), kinds=("index",), n_steps=2, season=season)
    columns = {
        "sample_id": [3, 5], "class": ["crop", "tree"], "time_start": np.array(["2020-09-01", "NaT"], "datetime64[ms]"),
        "time_end": np.array(["2020-09-21", "NaT"], "datetime64[ms]"), "group": ["a", "b"], "stratum": ["x", None],
        "psu": pd.Series([None, None], dtype="str"), "inclusion_probability": [0.1, np.nan], "purpose": ["train"] * 2,
        "weight": [1.0, 2.0], "labeller": ["me", None], "sub_pixel": [False, True], "polygon_id": [-1, 4],
    }  # fmt: skip
    frame = gpd.GeoDataFrame(columns, geometry=gpd.points_from_xy([1.5, 2], [3, 4]), crs="EPSG:32633")
    frame["ndvi_t00"], frame["ndvi_t01"] = np.float32([0.1, np.nan]), np.float32([0.3, 0.4])
    rejected = pd.DataFrame({"sample_id": [4], "class": ["1"], "reason": ["lies outside the grid"], "lon": [9.5], "lat": [1.0]})
    strata = (StratumInfo(name="x", size_px=10, area_ha=0.5, n_drawn=1, code=2),)
    return SampleTable(frame, Legend.from_names(["tree", "crop"]), (spec,), Design(kind="stratified", strata=strata), rejected)


def test_a_table_comes_back_as_it_was(samples, tmp_path):
    back = read_samples(write_samples(samples, tmp_path / "s.parquet"))
    pd.testing.assert_frame_equal(pd.DataFrame(back.frame), pd.DataFrame(samples.frame))
    assert back.frame.crs == samples.frame.crs
    assert (back.legend, back.inputs, back.design) == (samples.legend, samples.inputs, samples.design)
    pd.testing.assert_frame_equal(back.rejected, samples.rejected)


def test_geopandas_opens_it(samples, tmp_path):
    frame = gpd.read_parquet(write_samples(samples, tmp_path / "s.parquet"))
    assert list(frame.columns[: len(SAMPLE_COLUMNS)]) == list(SAMPLE_COLUMNS)
    assert frame.geometry.x.tolist() == [1.5, 2.0]


def test_rejected_rows_of_an_earlier_run_do_not_stay(samples, tmp_path):
    path = write_samples(samples, tmp_path / "s.parquet")
    assert rejected_path(path) == tmp_path / "s.rejected.csv"
    write_samples(SampleTable(samples.frame, samples.legend, samples.inputs), path)
    assert not rejected_path(path).exists()
    assert read_samples(path).rejected is None


def test_writing_twice_gives_the_same_bytes(samples, tmp_path):
    a, b = (write_samples(samples, tmp_path / f"{n}.parquet").read_bytes() for n in "ab")
    assert a == b


def test_a_missing_or_truncated_file_is_named(samples, tmp_path):
    with pytest.raises(SourceError, match=r"gone\.parquet does not exist"):
        read_samples(tmp_path / "gone.parquet")
    path = write_samples(samples, tmp_path / "s.parquet")
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(SourceError, match=r"s\.parquet is not a parquet file \(truncated"):
        read_samples(path)


def test_another_parquet_file_is_no_sample_table(samples, tmp_path):
    samples.frame.to_parquet(tmp_path / "geo.parquet")
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "plain.parquet")
    for name in ("geo", "plain"):
        with pytest.raises(SampleError, match=rf"{name}\.parquet is not a sample table of Landweave.*import it"):
            read_samples(tmp_path / f"{name}.parquet")


def test_lost_columns_are_named(samples, tmp_path):
    broken = SampleTable(samples.frame.drop(columns="ndvi_t01"), samples.legend, samples.inputs)
    with pytest.raises(SampleError, match=r"lacks the columns ndvi_t01"):
        read_samples(write_samples(broken, tmp_path / "s.parquet"))
