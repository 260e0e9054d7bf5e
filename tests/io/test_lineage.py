"""Lineage is written and read back, and replaces a stage that ran again."""

from __future__ import annotations

import pytest

from landweave.errors import SourceError
from landweave.io.lineage import FileRecord, Lineage, StageRecord, list_versions, read_lineage, record_file, write_lineage


def test_a_lineage_reads_back_as_written(tmp_path):
    stage = StageRecord(name="map", options={"proba": True}, inputs=(FileRecord(path="a.tif", size=3),), seed=4)
    lineage = Lineage(command="landweave run", recipe={"name": "x"}, stages=(stage,))
    assert read_lineage(write_lineage(lineage, tmp_path)) == lineage
    assert read_lineage(tmp_path).find_stage("map") == stage
    assert read_lineage(tmp_path).find_stage("cube") is None


def test_a_stage_that_ran_again_replaces_its_record_in_place():
    first, second, again = (StageRecord(name=n, seed=s) for n, s in (("cube", 1), ("map", 2), ("cube", 3)))
    lineage = Lineage().with_stage(first).with_stage(second).with_stage(again)
    assert [(s.name, s.seed) for s in lineage.stages] == [("cube", 3), ("map", 2)]


def test_files_are_recorded_with_size_and_checksum(tmp_path):
    (tmp_path / "a.txt").write_text("abc")
    record = record_file(tmp_path / "a.txt", relative_to=tmp_path)
    assert (record.path, record.size) == ("a.txt", 3)
    assert record.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert record_file(tmp_path / "a.txt", checksum=False).mtime_ns is not None
    assert record_file(tmp_path).size is None


def test_a_missing_file_cannot_be_recorded(tmp_path):
    with pytest.raises(SourceError, match=r"a\.txt does not exist"):
        record_file(tmp_path / "a.txt")


def test_what_is_no_lineage_is_named(tmp_path):
    (tmp_path / "lineage.json").write_text('{"stages": 3}')
    with pytest.raises(SourceError, match="is not a lineage that this version reads: stages"):
        read_lineage(tmp_path)


def test_versions_name_what_decides_a_result():
    assert {"landweave", "gdal", "numpy", "rasterio"} <= set(list_versions())
