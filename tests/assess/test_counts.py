"""Assessment from published counts."""

from __future__ import annotations

import numpy as np
import pytest

from landweave.assess import AssessOptions, assess_counts
from landweave.assess.counts import read_counts
from landweave.errors import AssessmentError, SourceError

GOOD = "map_class,ref_a,ref_b,mapped_area_px\na,40,2,1000\nb,3,55,3000\n"


@pytest.fixture
def write(tmp_path):
    def write_text(text: str):
        path = tmp_path / "counts.csv"
        path.write_text(text)
        return path

    return write_text


def test_columns_go_by_name_where_they_have_the_rows_names(write):
    table = read_counts(write("map_class,ref_b,a,mapped_area_px\na,2,40,1000\nb,55,3,3000\n"))
    assert table.names == ("a", "b")
    assert table.counts.tolist() == [[40, 2], [3, 55]]
    assert table.mapped_px.tolist() == [1000, 3000]


def test_columns_go_by_order_where_names_are_others(write):
    assert read_counts(write("x,wald,see,mapped_area_px\nforest,40,2,1\nlake,3,55,1\n")).counts.tolist() == [[40, 2], [3, 55]]


def test_blank_lines_spaces_and_a_byte_order_mark_do_no_harm(tmp_path):
    path = tmp_path / "c.csv"
    path.write_text("\ufeff" + GOOD.replace(",", " , ") + "\n\n", encoding="utf-8")
    assert read_counts(path).names == ("a", "b")


def test_areas_add_up_to_the_mapped_total(write):
    a = assess_counts(write(GOOD), pixel_area_m2=100)
    assert a.total_area_ha == pytest.approx(40)
    assert sum(x.area_ha for x in a.areas) == pytest.approx(40)
    assert (a.basis, a.n_used, a.design.kind, a.design.unit) == ("counts", 100, "stratified", "pixel of 100 m2")
    assert np.sum(a.error_matrix.proportions) == pytest.approx(1)


def test_a_class_that_is_not_on_the_map_has_a_row_of_zeros(write):
    a = assess_counts(write("m,a,b,c,mapped_area_px\na,40,2,1,1000\nb,3,55,2,3000\nc,0,0,0,0\n"), pixel_area_m2=900)
    assert (a.classes[2].users.value, a.classes[2].producers.value) == (None, 0)
    assert a.areas[2].mapped_ha == 0 < a.areas[2].lower_ha + a.areas[2].area_ha
    assert any("nowhere on the map: c" in w for w in a.warnings)


def test_options_count_here_too(write):
    a = assess_counts(write(GOOD), pixel_area_m2=900, options=AssessOptions(scores=("kappa",), interval="wilson"))
    assert 0.8 < a.kappa < 1
    assert a.intervals.method == "wilson"


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "has 0 lines; expected a header"),
        ("m,a,b,area\na,1,2,3\nb,1,2,3\n", "last column of .* is 'area'; expected 'mapped_area_px'"),
        ("m,a,b,mapped_area_px\na,1,2,3\n", r"has 1 rows \(map classes\) and 2 reference columns \(a, b\)"),
        ("m,a,b,mapped_area_px\na,1,2,3\nb,1,2\n", "line 3 of .* has 3 cells, the header 4"),
        ("m,a,b,mapped_area_px\na,1,x,3\nb,1,2,3\n", "has 'x' in line 2, column b; expected a number of 0 or more"),
        ("m,a,b,mapped_area_px\na,1,-2,3\nb,1,2,3\n", "has '-2' in line 2, column b"),
        ("m,a,b,mapped_area_px\na,1,2,3\na,1,2,3\n", "class 'a' has two rows"),
        ("m,a,a,mapped_area_px\na,1,2,3\nb,1,2,3\n", "class 'a' has two columns"),
        ("m,a,c,mapped_area_px\na,1,2,3\nb,1,2,3\n", "share some class names but not b, c; spell them alike"),
        ("m,a,b,mapped_area_px\na,1,2,0\nb,1,2,3\n", "map class 'a' .* has 3 samples but 0 pixels"),
        ("m,a,b,mapped_area_px\na,0,0,9\nb,1,2,3\n", "map class 'a' .* has 9 mapped pixels and no sample"),
    ],
)
def test_wrong_tables_say_where_and_what_is_expected(write, text, match):
    with pytest.raises(AssessmentError, match=match):
        assess_counts(write(text), pixel_area_m2=900)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"no\.csv does not exist"):
        read_counts(tmp_path / "no.csv")


def test_a_binary_file_is_no_table(tmp_path):
    (tmp_path / "x.tif").write_bytes(b"II*\x00\xff\xfe\xfa")
    with pytest.raises(SourceError, match="not a text file; give a CSV of counts"):
        read_counts(tmp_path / "x.tif")


def test_the_pixel_area_has_to_be_positive(write):
    with pytest.raises(AssessmentError, match="pixel area is 0 m2; give a positive number such as 900"):
        assess_counts(write(GOOD), pixel_area_m2=0)
