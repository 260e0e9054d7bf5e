"""File names by pattern."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landweave.imagery.pattern import Pattern, parse_time

CBERS = Pattern("{tile}_{start:%Y-%m-%d}_{end:%Y-%m-%d}_{band}.tif")


def test_period_ends_after_its_last_day():
    fields = CBERS.match("/data/022024_2018-12-19_2018-12-31_EVI.tif")
    assert fields.times == (datetime(2018, 12, 19), datetime(2019, 1, 1))
    assert (fields.band, fields.others) == ("EVI", {"tile": "022024"})


def test_stem_is_what_the_bands_of_a_scene_share():
    stems = {CBERS.match(f"022024_2018-12-19_2018-12-31_{b}.tif").stem for b in ("EVI", "NDVI")}
    assert stems == {"022024_2018-12-19_2018-12-31"}


@pytest.mark.parametrize(("pattern", "name", "stem"), [
    ("{date:%Y}_stack.gtif", "2002_stack.gtif", "2002_stack"), ("{date:%Y}TM", "2000TM", "2000TM"),
    ("{band}.tif", "red.tif", ""), ("v1.2_{band}", "v1.2_red", "v1.2"),
    ("{date:%Y%m%d}/{band}.tif", "20200102/red.tif", "20200102"),
])  # fmt: skip
def test_stem_goes_without_extension(pattern, name, stem):
    assert Pattern(pattern).match(name).stem == stem


def test_day_stands_for_itself_and_a_time_for_an_instant():
    assert Pattern("{date:%Y%j}.tif").match("1999322.tif").times == (datetime(1999, 11, 18), datetime(1999, 11, 19))
    assert Pattern("{date:%Y%m%dT%H%M%S}.tif").match("20240830T100559.tif").times == (datetime(2024, 8, 30, 10, 5, 59),) * 2


def test_year_and_month_stand_for_all_of_themselves():
    assert Pattern("{date:%Y}TM").match("2000TM").times == (datetime(2000, 1, 1), datetime(2001, 1, 1))
    assert Pattern("x{date:%Y%m}.tif").match("x202012.tif").times == (datetime(2020, 12, 1), datetime(2021, 1, 1))


def test_case_and_folders_before_do_not_matter():
    assert Pattern("{band}.tif").match("/a/b/RED.TIF").band == "RED"


def test_pattern_with_folders_reads_them():
    fields = Pattern("{date:%Y%m%d}/{band}.tif").match("/data/20200102/red.tif")
    assert fields.times[0] == datetime(2020, 1, 2)
    assert fields.stem == "20200102"


def test_star_stands_for_anything_but_a_folder():
    assert Pattern("*_{band}.tif").match("a_b_c_red.tif").band == "red"
    assert Pattern("x*.tif").match("y/red.tif") is None


def test_impossible_date_does_not_fit():
    assert Pattern("{date:%Y%m%d}.tif").match("20201345.tif") is None


def test_date_without_format_is_iso():
    assert Pattern("{date}_{band}.tif").match("2020-02-29_red.tif").times[0] == datetime(2020, 2, 29)


@pytest.mark.parametrize(("text", "message"), [
    ("{band.tif", "without its partner; fields look like"),
    ("{band}_{band}.tif", "has the field 'band' twice"),
    ("{date:%Q}.tif", "'%Q' in it is unknown; use %Y"),
    ("{band:%Y}.tif", "only start, end and date take one"),
])  # fmt: skip
def test_mistaken_pattern_says_what_is_wrong(text, message):
    with pytest.raises(ValueError, match=message):
        Pattern(text)


@given(day=st.dates(date(1972, 1, 1), date(2100, 1, 1)), band=st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,5}", fullmatch=True))
@settings(max_examples=40, deadline=None)
def test_what_a_name_is_made_of_is_read_back(day, band):
    fields = Pattern("T_{date:%Y%m%d}_{band}.tif").match(f"/x/T_{day:%Y%m%d}_{band}.tif")
    assert fields.times == (datetime(day.year, day.month, day.day), datetime(day.year, day.month, day.day) + timedelta(days=1))
    assert fields.band == band


def test_time_with_a_zone_becomes_utc():
    assert parse_time("2020-01-02T03:04:05+02:00") == (datetime(2020, 1, 2, 1, 4, 5),) * 2
