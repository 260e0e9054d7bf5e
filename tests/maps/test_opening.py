"""Maps of ours and of others are opened; what is no map is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
import rasterio

from landweave.errors import GridError, MapError, SourceError
from landweave.io.cog import write_category_names
from landweave.legend import Legend
from landweave.maps import open_map, predict_map


@pytest.fixture
def write_raster(tmp_path):
    def write(*, values=(1, 1, 2, 9), dtype="uint8", count=1, colormap=None, crs="EPSG:32633"):
        data = np.array(values, dtype=dtype).reshape(2, 2)
        with rasterio.open(tmp_path / "codes.tif", "w", driver="GTiff", width=2, height=2, count=count, dtype=dtype, nodata=9,
                           crs=crs, transform=rasterio.Affine(10, 0, 0, 0, -10, 0)) as dst:  # fmt: skip
            for band in range(count):
                dst.write(data, band + 1)
            if colormap:
                dst.write_colormap(1, colormap)
        return tmp_path / "codes.tif"

    return write


def test_a_map_of_ours_opens_as_it_was_written(model, cubes, tmp_path):
    written = predict_map(model, cubes, tmp_path / "out")
    for path in (tmp_path / "out", tmp_path / "out" / "map.tif"):
        opened = open_map(path)
        assert opened.legend == written.legend
        assert opened.geobox == written.geobox
        assert (opened.count_px, opened.area_ha, opened.checksum) == (written.count_px, written.area_ha, written.checksum)


def test_a_legend_may_stand_beside_the_raster(write_raster, tmp_path):
    (tmp_path / "legend.json").write_text(json.dumps([{"code": 1, "name": "Forest"}, {"code": 2, "name": "Water"}]))
    product = open_map(write_raster())
    assert product.legend.names == ("Forest", "Water")
    assert product.count_px == {1: 2, 2: 1, 9: 1}


def test_category_names_and_colour_table_make_a_legend(write_raster):
    path = write_raster(colormap={1: (1, 2, 3, 255), 2: (255, 0, 16, 255)})
    write_category_names(path, Legend.from_names(["Forest", "Water"]))
    legend = open_map(path).legend
    assert [(c.code, c.name, c.color) for c in legend] == [(1, "Forest", "#010203"), (2, "Water", "#ff0010")]


def test_a_raster_without_legend_is_refused(write_raster):
    with pytest.raises(MapError, match=r"does not say what its codes mean: .*no legend\.json beside it"):
        open_map(write_raster())


@pytest.mark.parametrize(("kind", "said"), [
    ({"dtype": "float32"}, r"1 band\(s\) of float32"), ({"count": 3}, r"3 band\(s\) of uint8"),
])  # fmt: skip
def test_an_image_is_not_a_map(write_raster, kind, said):
    with pytest.raises(MapError, match=f"is not a classified map: it has {said}"):
        open_map(write_raster(**kind))


def test_codes_that_the_legend_lacks_are_named(write_raster, tmp_path):
    (tmp_path / "legend.json").write_text(json.dumps([{"code": 1, "name": "Forest"}]))
    with pytest.raises(MapError, match=r"holds the code 2 in 1 pixels, which its legend lacks \(it has 1 Forest\)"):
        open_map(write_raster())


def test_a_legend_that_cannot_be_read_is_named(write_raster, tmp_path):
    (tmp_path / "legend.json").write_text('[{"code": 1}]')
    with pytest.raises(MapError, match=r"the legend of .*codes\.tif cannot be read"):
        open_map(write_raster())


def test_a_map_without_crs_has_no_areas(write_raster):
    with pytest.raises(GridError, match="has no crs"):
        open_map(write_raster(crs=None))


def test_a_folder_without_map_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"map\.tif does not exist"):
        open_map(tmp_path)
