"""Files, globs and folders."""

from __future__ import annotations

import pytest

from landweave.errors import SourceError
from landweave.imagery.paths import expand_paths


def names(*paths):
    return [f.path.name for f in expand_paths([str(p) for p in paths])]


@pytest.fixture
def folder(tmp_path):
    for name in ("b.tif", "a.TIF", "a.TIF.aux.xml", "envi", "envi.hdr", "notes.txt", "points.gpkg", "photo.jpg"):
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def test_folder_gives_its_rasters_sorted(folder):
    assert names(folder) == ["a.TIF", "b.tif", "envi"]


def test_glob_leaves_sidecars_out(folder):
    assert names(folder / "[ae]*") == ["a.TIF", "envi"]


def test_file_named_twice_is_one(folder):
    assert names(folder / "b.tif", folder) == ["b.tif", "a.TIF", "envi"]


def test_envi_header_stands_for_its_data(folder):
    assert names(folder / "envi.hdr") == ["envi"]


def test_envi_header_alone_is_named(tmp_path):
    (tmp_path / "x.hdr").write_bytes(b"")
    with pytest.raises(SourceError, match=r"x\.hdr is an ENVI header without its data file; put x"):
        names(tmp_path / "x.hdr")


def test_missing_file_says_what_is_there(folder):
    with pytest.raises(SourceError, match=r"c\.tif does not exist; folder .*: it holds a\.TIF, a\.TIF\.aux\.xml, b\.tif"):
        names(folder / "c.tif")


def test_missing_folder_names_the_one_above(tmp_path):
    with pytest.raises(SourceError, match=r"x/y/z\.tif does not exist; folder .*: it is empty"):
        names(tmp_path / "x" / "y" / "z.tif")


def test_glob_without_match_says_what_is_there(folder):
    with pytest.raises(SourceError, match=r"\*\.jp2 matches nothing, no raster; folder .*: it holds a\.TIF"):
        names(folder / "*.jp2")


def test_glob_of_sidecars_is_refused(folder):
    with pytest.raises(SourceError, match=r"matches only notes\.txt, no raster"):
        names(folder / "*.txt")


def test_folder_without_raster_says_what_is_there(tmp_path):
    (tmp_path / "sub").mkdir()
    with pytest.raises(SourceError, match="holds no raster; it holds sub/"):
        names(tmp_path)


def test_name_with_brackets_is_a_file_first(tmp_path):
    (tmp_path / "a[1].tif").write_bytes(b"")
    assert names(tmp_path / "a[1].tif") == ["a[1].tif"]


def test_path_that_is_not_local_is_refused():
    with pytest.raises(SourceError, match=r"https://x/y\.tif is no local path; give a local file, folder, glob or archive"):
        names("https://x/y.tif")
