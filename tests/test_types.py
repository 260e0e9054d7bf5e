"""The nouns that cross rooms: feature order, lookups and selections."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from landweave.errors import BandError, SampleError
from landweave.grid import Window, make_geobox
from landweave.legend import Legend
from landweave.types import Band, Block, ModelCard, ModelInput, ProgressEvent, SampleTable, Season, Sensor, feature_names, track

SERIES = ModelInput(bands=("ndvi", "evi"), kinds=("index", "index"), n_steps=2)
STATIC = ModelInput(name="dem", bands=("elevation",), kinds=("elevation",))


@pytest.fixture
def table() -> SampleTable:
    frame = gpd.GeoDataFrame(
        {"sample_id": [1, 2, 3], "class": ["b", "a", "b"], "ndvi_t00": [0.1, 0.2, np.nan], "evi_t00": 0.3, "ndvi_t01": 0.4,
         "evi_t01": 0.5},
        geometry=gpd.points_from_xy([10, 11, 12], [50, 51, 52]), crs="EPSG:4326",
    )  # fmt: skip
    rejected = pd.DataFrame({"sample_id": [4], "class": ["a"], "reason": ["outside"], "lon": [0.0], "lat": [0.0]})
    return SampleTable(frame, Legend.from_names(["a", "b"]), (SERIES,), rejected=rejected)


def test_features_of_a_series_run_over_bands_within_steps() -> None:
    assert SERIES.feature_names == ("ndvi_t00", "evi_t00", "ndvi_t01", "evi_t01")


def test_features_of_several_inputs_carry_the_name_of_theirs() -> None:
    assert feature_names([SERIES, STATIC])[-2:] == ("main.evi_t01", "dem.elevation")
    assert feature_names([STATIC]) == ("elevation",)


def test_sample_table_gives_features_in_the_order_of_its_inputs(table: SampleTable) -> None:
    values = table.to_features()
    assert (values.dtype, values.shape) == (np.float32, (3, 4))
    assert np.allclose(values[0], [0.1, 0.3, 0.4, 0.5])
    assert np.isnan(values[2, 0])


def test_sample_table_without_features_says_what_to_do(table: SampleTable) -> None:
    with pytest.raises(SampleError, match="no features; run extract_samples with a cube first"):
        SampleTable(table.frame, table.legend).to_features()


def test_class_index_follows_the_legend(table: SampleTable) -> None:
    assert table.to_class_index().tolist() == [1, 0, 1]


@pytest.mark.parametrize("rows", [np.array([False, True, True]), np.array([1, 2])])
def test_selecting_rows_keeps_the_rejected_ones_listed(table: SampleTable, rows: np.ndarray) -> None:
    chosen = table.select(rows)
    assert chosen.frame["sample_id"].tolist() == [2, 3]
    assert chosen.rejected is table.rejected
    assert len(chosen) == 2


def test_coordinates_come_in_the_crs_asked_for(table: SampleTable) -> None:
    assert np.allclose(table.to_xy("EPSG:4326")[0], [10, 50])
    assert table.to_xy("EPSG:3857")[0, 0] == pytest.approx(1113194.9, abs=0.1)


def test_sensor_finds_bands_by_name_or_alias_whatever_the_case() -> None:
    sensor = Sensor("s", "S", (Band("red", "reflectance", aliases=("B04",)),), source="test")
    assert sensor.get_band("b04").name == "red"
    with pytest.raises(BandError, match="s has no band 'nir'; it has red"):
        sensor.get_band("nir")


def test_open_sensor_accepts_any_band() -> None:
    assert Sensor("generic", "Any", (), source="", is_open=True).get_band("temperature").kind == "other"


def test_block_interior_leaves_the_halo_out() -> None:
    values = np.arange(36, dtype=np.float32).reshape(1, 6, 6)
    values[0, 0, 0] = np.nan
    block = Block(values, Window(0, 0, 2, 2), 2, make_geobox((0, 0, 60, 60), "EPSG:32633", 10))
    assert block.interior.tolist() == [[[14, 15], [20, 21]]]
    assert not block.valid[0, 0, 0]


def test_model_card_gives_its_legend_back_and_survives_json() -> None:
    legend = Legend.from_names(["a", "b"])
    card = ModelCard(model="random-forest", inputs=(SERIES,), classes=legend.to_dicts())
    assert ModelCard.model_validate_json(card.model_dump_json()).legend == legend


def test_unknown_key_of_a_document_is_refused() -> None:
    with pytest.raises(ValidationError, match="colour"):
        ModelInput(bands=(), kinds=(), colour="red")  # type: ignore[call-arg]


@pytest.mark.parametrize("start", ["13-01", "2-1", "09-32"])
def test_season_start_is_a_month_and_a_day(start: str) -> None:
    with pytest.raises(ValidationError, match="String should match pattern"):
        Season(start=start, length_days=365, steps=({"from_day": 0, "to_day": 16},))  # type: ignore[arg-type]


def test_track_reports_each_item_after_it_was_dealt_with() -> None:
    events: list[ProgressEvent] = []
    assert list(track("abc", "read", 3, events.append)) == ["a", "b", "c"]
    assert [e.done for e in events] == [1, 2, 3]
    assert list(track("abc", "read", 3, None)) == ["a", "b", "c"]
