"""Labels on a grid."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from shapely.geometry import box

from landweave.errors import GridError, LegendError, SampleError, SourceError
from landweave.grid import Window
from landweave.models.deep.labels import (
    LabelGrid,
    labels_from_polygons,
    labels_from_raster,
    labels_from_reference,
    mask_near,
    split_labels,
)
from landweave.samples import SampleOptions


@pytest.fixture
def write_codes(tmp_path, land):
    """Write codes (y, x) as a raster on the landscape's grid."""

    def write(codes: np.ndarray, **more) -> str:
        grid, path = land[1].geobox, tmp_path / "labels.tif"
        profile = {"driver": "GTiff", "height": codes.shape[0], "width": codes.shape[1], "count": 1, "dtype": codes.dtype,
                   "crs": "EPSG:32633", "transform": grid.affine, **more}  # fmt: skip
        with rasterio.open(path, "w", **profile) as dst:
            dst.write(codes, 1)
        return str(path)

    return write


def test_raster_codes_become_indices_and_nodata_stays_unlabelled(land, write_codes):
    codes = np.full((96, 96), 2, dtype=np.uint8)
    codes[:10], codes[10:20] = 0, 9
    found = labels_from_raster(write_codes(codes, nodata=0), land[1].geobox, legend=land[1].legend, unlabelled=[9])
    assert (found.index[:20] == -1).all()
    assert (found.index[20:] == 1).all()
    assert found.counts.tolist() == [0, 76 * 96, 0]


def test_unknown_code_in_a_raster_is_named(land, write_codes):
    with pytest.raises(LegendError, match=r"holds the value 77, which is no class code \(codes: 1, 2, 3\); add the class"):
        labels_from_raster(write_codes(np.full((96, 96), 77, np.uint8)), land[1].geobox, legend=land[1].legend)


def test_fractions_are_no_labels(land, write_codes):
    with pytest.raises(SourceError, match=r"holds fractions such as 1\.5; labels are whole numbers"):
        labels_from_raster(write_codes(np.full((96, 96), 1.5, np.float32)), land[1].geobox, legend=land[1].legend)


def test_polygons_label_the_pixels_whose_centre_they_hold(land):
    left, _, _, top = land[1].geobox.boundingbox.bbox
    square = gpd.GeoSeries([box(left, top - 40, left + 30, top)], crs="EPSG:32633")
    found = labels_from_polygons(square, ["crop"], land[1].geobox, legend=land[1].legend)
    assert (found.index[:4, :3] == 2).all()
    assert found.n_labelled == 12


def test_overlapping_polygons_of_two_classes_leave_pixels_unlabelled(land):
    left, _, _, top = land[1].geobox.boundingbox.bbox
    both = gpd.GeoSeries([box(left, top - 40, left + 40, top), box(left + 20, top - 40, left + 60, top)], crs="EPSG:32633")
    found = labels_from_polygons(both, ["crop", "water"], land[1].geobox, legend=land[1].legend)
    assert (found.index[:4, :6] == [2, 2, -1, -1, 0, 0]).all()
    assert "8 pixels carry labels of different classes" in found.note


def test_polygons_without_crs_are_refused(land):
    with pytest.raises(SampleError, match=r"1 polygons have no crs; set it with polygons\.set_crs"):
        labels_from_polygons(gpd.GeoSeries([box(0, 0, 1, 1)]), ["crop"], land[1].geobox, legend=land[1].legend)


def test_reference_raster_gives_every_pixel_and_leaves_out_what_is_excluded(land, write_codes):
    codes = np.repeat(np.array([1, 2, 3], np.uint8), 32)[:, None] * np.ones((1, 96), np.uint8)
    options = SampleOptions(reference=write_codes(codes), max_per_class=5, exclude=("forest",), classes={"1": "water"})
    found = labels_from_reference(options, land[1].geobox, legend=land[1].legend)
    assert found.counts.tolist() == [32 * 96, 0, 32 * 96]


def test_labels_must_fit_grid_and_legend(land):
    with pytest.raises(GridError, match=r"labels have shape \(3, 3\), their grid has \(96, 96\)"):
        LabelGrid(np.zeros((3, 3), np.int16), land[1].legend, land[1].geobox)
    with pytest.raises(LegendError, match="class_index 3 stands in the labels, the legend has 3 classes"):
        LabelGrid(np.full((96, 96), 3, np.int16), land[1].legend, land[1].geobox)


def test_split_keeps_blocks_and_buffer_apart(land):
    train, held = split_labels(land[1], share=0.25, block_px=24, buffer_px=3, seed=1)
    assert not ((train.index >= 0) & mask_near(held.index >= 0, 3)).any()
    assert 0.15 < held.n_labelled / land[1].n_labelled < 0.35
    assert (held.counts > 0).all()


def test_labels_of_one_block_cannot_be_split(land):
    with pytest.raises(SampleError, match="all 9216 labelled pixels stand in one block of 96 px"):
        split_labels(land[1], share=0.2, block_px=96)


def test_outside_of_the_grid_nothing_is_labelled(land):
    part = land[1].read(Window(-4, -4, 8, 8))
    assert (part[:4] == -1).all()
    assert (part[4:, 4:] == land[1].index[:4, :4]).all()
