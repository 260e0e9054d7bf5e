from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from landweave.errors import BandError, SampleError, SourceError
from landweave.samples import SampleOptions, import_series
from landweave.types import Season, SeasonStep


def days(*texts: str) -> np.ndarray:
    return np.array(texts, dtype="datetime64[D]").astype(np.int32)


@pytest.fixture
def write_npz(tmp_path: Path):
    def write(**more: Any) -> str:
        arrays: dict[str, Any] = {
            "X": np.arange(24, dtype=np.float32).reshape(4, 3, 2), "y": np.array(list("abab")),
            "bands": np.array(["NDVI", "BAND13"]), "lon": np.array([-50.0, -50.1, -50.0, -50.2]),
            "lat": np.array([-10.0, -10.1, -10.0, -10.2]),
            "dates_days_since_1970": np.tile(days("2020-01-01", "2020-01-17", "2020-02-02"), (4, 1)),
        } | more  # fmt: skip
        np.savez(tmp_path / "s.npz", **{k: v for k, v in arrays.items() if v is not None})
        return str(tmp_path / "s.npz")

    return write


def series(path, **more) -> Any:
    return import_series(SampleOptions(series=str(path), **more))


def test_bands_get_common_names_and_values_stay(write_npz):
    made = series(write_npz(), sensor="cbers4-awfi")
    assert made.inputs[0].bands == ("ndvi", "blue")
    assert made.inputs[0].kinds == ("index", "reflectance")
    assert made.frame["blue_t02"].tolist() == [5, 11, 17, 23]
    assert (made.to_features() == np.arange(24).reshape(4, 6)).all()


def test_bands_are_selected_by_name_or_alias_in_the_order_asked(write_npz):
    made = series(write_npz(), sensor="cbers4-awfi", bands=["BAND13", "ndvi"])
    assert made.inputs[0].bands == ("blue", "ndvi")
    assert made.frame["blue_t00"].tolist() == [1, 7, 13, 19]
    with pytest.raises(BandError, match=r"no band 'red'; it has ndvi, blue"):
        series(write_npz(), sensor="cbers4-awfi", bands=["red"])


def test_shared_dates_bind_to_the_calendar(write_npz):
    assert series(write_npz()).inputs[0].dates == ("2020-01-09", "2020-01-25", "2020-02-10")
    assert series(write_npz(), dates_are="middle").inputs[0].dates == ("2020-01-01", "2020-01-17", "2020-02-02")


def test_rows_know_the_time_they_stand_for(write_npz):
    frame = series(write_npz()).frame
    assert frame["time_start"][0] == np.datetime64("2020-01-01")
    assert frame["time_end"][0] == np.datetime64("2020-02-18")


def test_rows_of_several_years_bind_to_a_season(write_npz):
    years = np.stack([days(f"{y}-01-01", f"{y}-01-17", f"{y}-02-02") for y in (2018, 2020, 2021, 2019)])
    made = series(write_npz(dates_days_since_1970=years))
    season = made.inputs[0].season
    assert season.start == "01-01"
    assert [(s.from_day, s.to_day) for s in season.steps] == [(0, 16), (16, 32), (32, 48)]


def test_a_row_that_does_not_fit_the_season_is_an_error(write_npz):
    years = np.stack([days(f"{y}-01-01", f"{y}-01-17", f"{y}-02-02") for y in (2018, 2020, 2021, 2019)])
    years[3] += 120
    with pytest.raises(SampleError, match=r"1 of 4 rows .* do not fit the season .* 01-01: row 3, step 0 is day 128"):
        series(write_npz(dates_days_since_1970=years))


def test_a_stated_season_must_have_the_steps(write_npz):
    steps = tuple(SeasonStep(from_day=d, to_day=d + 16) for d in (0, 16))
    season = Season(start="01-01", length_days=32, steps=steps)
    with pytest.raises(SampleError, match=r"season has 2 steps, the series of .* have 3"):
        import_series(SampleOptions(series=write_npz()), season=season)


def test_one_place_is_one_group(write_npz):
    groups = series(write_npz()).frame["group"]
    assert groups[0] == groups[2] != groups[1]


def test_nodata_and_scale_make_physical_values(write_npz):
    made = series(write_npz(), nodata=3, scale=0.5)
    assert np.isnan(made.frame["band13_t01"][0])
    assert made.frame["band13_t02"][0] == 2.5


def test_a_row_without_observation_is_rejected(write_npz):
    x = np.arange(24, dtype=np.float32).reshape(4, 3, 2)
    x[1] = np.nan
    made = series(write_npz(X=x))
    assert len(made) == 3
    assert made.rejected["reason"].tolist() == ["has no valid observation"]


def test_dates_that_do_not_increase_are_an_error(write_npz):
    wrong = np.tile(days("2020-01-01", "2020-01-01", "2020-02-02"), (4, 1))
    with pytest.raises(SampleError, match=r"dates of row 0 of .* do not increase: 2020-01-01, 2020-01-01"):
        series(write_npz(dates_days_since_1970=wrong))


def test_an_npz_that_is_none_of_ours_is_an_error(write_npz, tmp_path):
    with pytest.raises(SourceError, match=r"lacks the arrays lon; it has X, y, bands, lat"):
        series(write_npz(lon=None, dates_days_since_1970=None))
    with pytest.raises(SourceError, match=r"X has the shape \(4, 6\), expected \(n, step, band\)"):
        series(write_npz(X=np.zeros((4, 6), np.float32)))
    (tmp_path / "half.npz").write_bytes(b"PK\x03\x04 not all of it")
    with pytest.raises(SourceError, match=r"half\.npz is not an npz of plain arrays"):
        series(tmp_path / "half.npz")
    with pytest.raises(SourceError, match=r"gone\.npz does not exist"):
        series(tmp_path / "gone.npz")


WIDE = {"lon": [-50.0, -50.1], "lat": [-10.0, -10.1], "label": ["a", "b"], "id_1": [1, 2]}


def test_wide_csv_columns_become_series(tmp_path):
    table = pd.DataFrame(WIDE | {"NDVI_2020-01-01": [0.1, 0.2], "NDVI_2020-01-17": [0.3, 0.4]})
    table.to_csv(tmp_path / "w.csv", index=False)
    made = series(tmp_path / "w.csv", dates_are="middle")
    assert made.inputs[0].dates == ("2020-01-01", "2020-01-17")
    assert made.frame["ndvi_t01"].tolist() == pytest.approx([0.3, 0.4])


def test_wide_parquet_steps_are_ordered_by_number(tmp_path):
    steps = {f"red.t{i}": [float(i), i + 0.5] for i in (10, 2, 1)}
    pd.DataFrame(WIDE | steps).to_parquet(tmp_path / "w.parquet")
    made = series(tmp_path / "w.parquet", dates=[date(2020, 1, 1), date(2020, 2, 1), date(2020, 3, 1)], dates_are="middle")
    assert made.to_features()[0].tolist() == [1, 2, 10]
    assert made.inputs[0].dates[1] == "2020-02-01"


def test_a_table_without_series_says_how_to_name_them(tmp_path):
    pd.DataFrame(WIDE).to_csv(tmp_path / "w.csv", index=False)
    with pytest.raises(SampleError, match=r"no columns of series; name them BAND_tNN"):
        series(tmp_path / "w.csv")
