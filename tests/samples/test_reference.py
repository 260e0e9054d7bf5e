from __future__ import annotations

import json

import numpy as np
import pytest
import shapely
from shapely import Point

from landweave.errors import SampleError, SourceError
from landweave.grid import make_geobox
from landweave.legend import Legend
from landweave.samples import import_reference
from landweave.samples.reference import cap_classes, pixel_of


def reasons(samples):
    return {} if samples.rejected is None else samples.rejected["reason"].value_counts().to_dict()


@pytest.mark.parametrize("name", ["a.gpkg", "a.geojson", "a.shp", "a.parquet"])
def test_points_come_from_every_vector_format(name, write_places, options, geobox, at):
    crs = "EPSG:32722"
    path = write_places([Point(at(1.5, 2.5)), Point(at(3.5, 4.5))], name, crs, label=["a", "b"])
    made = import_reference(options(path), geobox=geobox)
    assert made.frame["class"].tolist() == ["a", "b"]
    assert [v.tolist() for v in pixel_of(made.frame, geobox)] == [[2, 4], [1, 3]]
    assert made.design.kind == "none"


def test_points_are_reprojected_to_the_grid(write_places, options, geobox, at):
    lon_lat = shapely.transform(Point(at(5.5, 6.5)), _to_lonlat, interleaved=False)
    made = import_reference(options(write_places([lon_lat], crs="EPSG:4326", label=["a"])), geobox=geobox)
    assert [int(v[0]) for v in pixel_of(made.frame, geobox)] == [6, 5]


def _to_lonlat(x, y):
    from pyproj import Transformer

    return Transformer.from_crs("EPSG:32722", "EPSG:4326", always_xy=True).transform(x, y)


def test_points_of_one_pixel_share_a_group(write_places, options, geobox, at):
    path = write_places([Point(at(1.2, 2.2)), Point(at(1.8, 2.8)), Point(at(2.2, 2.2))], label=["a", "a", "b"])
    groups = import_reference(options(path), geobox=geobox).frame["group"]
    assert groups[0] == groups[1] != groups[2]


def test_csv_columns_are_found_by_name(tmp_path, options):
    grid = make_geobox((-56, -13, -55, -12), "EPSG:4326", 0.01)
    path = tmp_path / "p.csv"
    path.write_text("Longitude;Latitude;label;from;to\n-55.5;-12.5;soy;2011-09-01;2012-09-01\n")
    made = import_reference(options(path, start_column="from", end_column="to"), geobox=grid)
    assert made.frame["time_start"][0] == np.datetime64("2011-09-01")
    assert made.frame["time_end"][0] == np.datetime64("2012-09-01")


def test_earth_engine_csv_has_its_places_in_geo(tmp_path, options):
    grid = make_geobox((-56, -13, -55, -12), "EPSG:4326", 0.01)
    geo = json.dumps({"type": "Point", "coordinates": [-55.5, -12.25]}).replace('"', '""')
    (tmp_path / "ee.csv").write_text(f'system:index,class,.geo\n0,2,"{geo}"\n')
    made = import_reference(options(tmp_path / "ee.csv"), geobox=grid)
    assert (made.frame.geometry[0].x, made.frame.geometry[0].y) == (-55.5, -12.25)


def test_pixels_of_a_polygon_share_its_group(write_places, options, geobox, square):
    path = write_places([square(0, 0, 3, 3), square(5, 5, 7, 6)], label=["a", "b"])
    made = import_reference(options(path), geobox=geobox)
    assert made.frame.groupby("group").size().tolist() == [9, 2]
    assert made.frame["polygon_id"].tolist() == [0] * 9 + [1] * 2


def test_polygons_and_classes_are_capped(write_places, options, geobox, square):
    path = write_places([square(0, 0, 10, 10), square(20, 0, 30, 10), square(0, 20, 4, 24)], label=["a", "a", "b"])
    made = import_reference(options(path, max_per_polygon=20, max_per_class=30), geobox=geobox)
    assert made.frame.groupby("class").size().to_dict() == {"a": 30, "b": 16}
    assert made.frame.groupby("group").size().tolist() == [15, 15, 16]
    assert "of 216 pixel centres" in made.design.note


def test_the_cap_of_a_class_takes_every_small_polygon(write_places, options, geobox, square, rng):
    path = write_places([square(0, 0, 20, 20), square(30, 30, 31, 31), square(33, 33, 34, 34)], label=["a"] * 3)
    made = import_reference(options(path), geobox=geobox)
    capped = cap_classes(made.frame, 6, rng)
    assert capped.groupby("group").size().sort_values().tolist() == [1, 1, 4]


def test_a_polygon_smaller_than_a_pixel_is_marked(write_places, options, geobox, square):
    made = import_reference(options(write_places([square(1.1, 1.1, 1.3, 1.3)], label=["a"])), geobox=geobox)
    assert made.frame["sub_pixel"].tolist() == [True]


def test_overlapping_polygons_of_two_classes_are_rejected_where_they_overlap(write_places, options, geobox, square):
    path = write_places([square(0, 0, 4, 4), square(2, 0, 6, 4)], label=["a", "b"])
    made = import_reference(options(path), geobox=geobox)
    assert reasons(made) == {"lies in polygons of two classes (a and b)": 16}
    assert made.frame["class"].value_counts().to_dict() == {"a": 8, "b": 8}


def test_overlapping_polygons_of_one_class_give_each_pixel_once(write_places, options, geobox, square):
    path = write_places([square(0, 0, 4, 4), square(2, 0, 6, 4)], label=["a", "a"])
    made = import_reference(options(path), geobox=geobox)
    assert len(made) == 24
    assert reasons(made) == {"its pixel is already taken by another polygon of its class": 8}


def test_two_small_polygons_of_two_classes_in_one_pixel_are_rejected(write_places, options, geobox, square):
    shapes = [square(1.1, 1.1, 1.2, 1.2), square(1.8, 1.8, 1.9, 1.9), square(5, 5, 6, 6)]
    made = import_reference(options(write_places(shapes, label=["a", "b", "a"])), geobox=geobox)
    assert reasons(made) == {"shares its pixel with a polygon of another class": 2}


def test_samples_outside_without_label_or_geometry_are_listed(write_places, options, geobox, at):
    shapes = [Point(at(1, 1)), Point(at(999, 1)), Point(at(2, 2)), None]
    made = import_reference(options(write_places(shapes, label=["a", "a", None, "b"])), geobox=geobox)
    assert reasons(made) == {"lies outside the grid": 1, "has no label": 1, "has no geometry": 1}
    assert list(made.rejected.columns) == ["sample_id", "class", "reason", "lon", "lat"]
    assert made.rejected["sample_id"].tolist() == [1, 2, 3]


def test_all_outside_is_an_error_with_both_bounds(write_places, options, geobox, at):
    path = write_places([Point(at(900, 1)), Point(at(999, 1))], label=["a", "b"])
    with pytest.raises(SampleError, match=r"no sample of .* lies on the grid.*x 609000 to 609990.*grid x 600000 to 600500"):
        import_reference(options(path), geobox=geobox)


def test_swapped_axes_are_recognised(tmp_path, options):
    grid = make_geobox((-56, -13, -55, -12), "EPSG:4326", 0.01)
    (tmp_path / "p.csv").write_text("lon,lat,class\n-12.5,-55.5,a\n-12.6,-55.2,b\n")
    with pytest.raises(SampleError, match=r"2 of 2 would lie on it with x and y exchanged: the axes look swapped"):
        import_reference(options(tmp_path / "p.csv"), geobox=grid)


@pytest.mark.filterwarnings("ignore:'crs' was not provided:UserWarning")  # the file is to have none
def test_a_file_without_crs_needs_one(write_places, options, geobox, at):
    path = write_places([Point(at(1, 1))], crs=None, label=["a"])
    with pytest.raises(SampleError, match=r"has no crs; state the one .* crs: EPSG:4326"):
        import_reference(options(path), geobox=geobox)
    assert len(import_reference(options(path, crs="EPSG:32722"), geobox=geobox)) == 1


def test_a_missing_file_is_named(options, geobox):
    with pytest.raises(SourceError, match=r"nowhere\.gpkg does not exist"):
        import_reference(options("/nowhere.gpkg"), geobox=geobox)


def test_lines_are_no_samples(write_places, options, geobox):
    path = write_places([shapely.LineString([(0, 0), (1, 1)])], label=["a"])
    with pytest.raises(SampleError, match=r"1 of 1 geometries are LineStrings; samples are points or polygons"):
        import_reference(options(path), geobox=geobox)


def test_where_keeps_the_rows_asked_for(write_places, options, geobox, at):
    path = write_places([Point(at(i, 1)) for i in range(4)], label=list("aabb"), year=[2019, 2020, 2020, 2021])
    assert len(import_reference(options(path, where={"year": [2019, 2020]}), geobox=geobox)) == 3
    with pytest.raises(SampleError, match=r"leaves no row of 4"):
        import_reference(options(path, where={"year": 1999}), geobox=geobox)
    with pytest.raises(SampleError, match=r"where names the column 'yeer'; columns are label, year"):
        import_reference(options(path, where={"yeer": 1999}), geobox=geobox)


def test_columns_of_the_schema_are_read(write_places, options, geobox, at):
    path = write_places([Point(at(1, 1)), Point(at(2, 2))], label=["a", "b"], region=["n", "s"], who=["x", None])
    made = import_reference(options(path, group_column="region", labeller_column="who", purpose="reference"), geobox=geobox)
    assert made.frame["group"].tolist() == ["n", "s"]
    assert made.frame["labeller"].isna().tolist() == [False, True]
    assert set(made.frame["purpose"]) == {"reference"}


def test_dates_that_cannot_be_read_or_run_backwards_are_errors(write_places, options, geobox, at):
    path = write_places([Point(at(1, 1))], label=["a"], seen=["last week"], a=["2020-05-01"], b=["2020-04-01"])
    with pytest.raises(SampleError, match=r"'seen' holds dates that cannot be read"):
        import_reference(options(path, date_column="seen"), geobox=geobox)
    with pytest.raises(SampleError, match=r"row 0: 2020-05-01.* to 2020-04-01"):
        import_reference(options(path, start_column="a", end_column="b"), geobox=geobox)


def test_a_year_is_a_date(write_places, options, geobox, at):
    path = write_places([Point(at(1, 1))], label=["a"], year=[2020])
    made = import_reference(options(path, date_column="year"), geobox=geobox)
    assert made.frame["time_start"][0] == np.datetime64("2020-01-01")


def test_a_legend_gives_the_classes_and_their_order(write_places, options, geobox, at):
    path = write_places([Point(at(1, 1)), Point(at(2, 2))], label=["b", "a"])
    made = import_reference(options(path), legend=Legend.from_names(["b", "a", "c"]), geobox=geobox)
    assert made.to_class_index().tolist() == [0, 1]


def test_a_stated_design_gives_probabilities(write_places, options, geobox, at):
    design = {"kind": "stratified", "strata": [{"name": "x", "size_px": 100}, {"name": "y", "size_px": 50, "area_ha": 3}]}
    path = write_places([Point(at(i, 1)) for i in range(3)], label=list("aab"), s=["x", "x", "y"])
    made = import_reference(options(path, stratum_column="s", design=design), geobox=geobox)
    assert made.frame["inclusion_probability"].tolist() == [0.02, 0.02, 0.02]
    assert [s.n_drawn for s in made.design.strata] == [2, 1]
    assert made.design.strata[0].area_ha == pytest.approx(1, rel=0.01)


def test_a_stratum_that_the_design_does_not_state_is_an_error(write_places, options, geobox, at):
    design = {"kind": "stratified", "strata": [{"name": "x", "size_px": 100}]}
    path = write_places([Point(at(1, 1))], label=["a"], s=["z"])
    with pytest.raises(SampleError, match=r"strata z, which it does not state \(stated: x\)"):
        import_reference(options(path, stratum_column="s", design=design), geobox=geobox)


def test_a_cap_must_not_break_a_stated_design(write_places, options, geobox, at):
    path = write_places([Point(at(i, 1)) for i in range(3)], label=list("aaa"))
    with pytest.raises(SampleError, match=r"would leave out 1 rows of a sample whose design is stated as simple"):
        import_reference(options(path, max_per_class=2, design={"kind": "simple"}), geobox=geobox)
