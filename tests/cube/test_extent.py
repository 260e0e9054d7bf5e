from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from affine import Affine

from landweave.cube import CubeOptions
from landweave.cube.extent import resolve_coarse, resolve_geobox
from landweave.errors import GridError
from landweave.grid import GeoBox, is_nested, resolve_crs
from landweave.io.rasters import RasterInfo, read_info

UTM = "EPSG:32633"
ORIGIN = Affine(10, 0, 500_003, 0, -10, 5_000_004)
Write = Callable[..., str]


def info_of(geobox: GeoBox) -> RasterInfo:
    return RasterInfo("mem", geobox, 1, ("int16",), (None,), (None,), (None,), (None,), "GTiff", (1, 1), {})


def grid(rows: int = 20, cols: int = 30, *, affine: Affine = ORIGIN, crs: str = UTM) -> GeoBox:
    return GeoBox((rows, cols), affine, resolve_crs(crs))


def test_files_of_one_grid_give_exactly_that_grid() -> None:
    own = grid(affine=Affine(63.998080140533446, 0, 778451.531706024, 0, -63.99920894639137, -1435954.4775823874))
    found = resolve_geobox([info_of(own)] * 3, CubeOptions())
    assert found == own
    assert tuple(found.affine) == tuple(own.affine)


def test_the_commonest_crs_and_its_finest_pixel_win() -> None:
    fine = Affine(1e-4, 0, 15, 0, -1e-4, 45.15)
    infos = [info_of(grid()), info_of(grid(affine=ORIGIN @ Affine.scale(2))), info_of(grid(affine=fine, crs="EPSG:4326"))]
    found = resolve_geobox(infos, CubeOptions())
    assert found.crs.epsg == 32633
    assert (found.affine.a, found.affine.e) == (10, -10)


def test_union_and_intersection_stay_on_the_lattice_of_the_first_file() -> None:
    infos = [info_of(grid()), info_of(grid(affine=ORIGIN @ Affine.translation(10, 5)))]
    union, common = (resolve_geobox(infos, CubeOptions(extent=e)) for e in ("union", "intersection"))
    assert (tuple(union.shape), tuple(common.shape)) == ((25, 40), (15, 20))
    assert common.affine == ORIGIN @ Affine.translation(10, 5)


def test_bounds_are_snapped_outwards_to_the_files_lattice() -> None:
    found = resolve_geobox([info_of(grid())], CubeOptions(bounds=(500_030, 4_999_900, 500_100, 4_999_990)))
    assert found.affine == ORIGIN @ Affine.translation(2, 1)
    assert tuple(found.shape) == (10, 8)


def test_a_coarser_pixel_starts_where_the_file_does() -> None:
    found = resolve_geobox([info_of(grid())], CubeOptions(resolution=20))
    assert (found.affine.c, found.affine.f, found.affine.a) == (500_003, 5_000_004, 20)


def test_a_pixel_that_fits_no_file_starts_at_its_multiples() -> None:
    found = resolve_geobox([info_of(grid())], CubeOptions(resolution=7))
    assert found.affine.c % 7 == 0


def test_a_box_in_degrees_is_projected(write: Write) -> None:
    own = grid()
    box = own.extent.to_crs("EPSG:4326").boundingbox
    found = resolve_geobox([info_of(own)], CubeOptions(bbox=(box.left, box.bottom, box.right, box.top)))
    assert found.shape[0] >= own.shape[0]


def test_like_gives_its_grid(write: Write) -> None:
    path = write(np.zeros((6, 7), np.uint8), transform=Affine(20, 0, 500_001, 0, -20, 5_000_002))
    found = resolve_geobox([info_of(grid())], CubeOptions(like=Path(path)))
    assert found == read_info(path).geobox


def test_like_must_be_north_up(write: Write) -> None:
    path = write(np.zeros((6, 7), np.uint8), transform=Affine(20, 5, 500_001, 5, -20, 5_000_002))
    with pytest.raises(GridError, match=r"is rotated or south-up .*give a north-up raster"):
        resolve_geobox([info_of(grid())], CubeOptions(like=Path(path)))


def test_swapped_axes_show_both_places_in_degrees() -> None:
    message = r"bbox and the files do not overlap: bbox at lon 45\.\d+.*, the files at lon 15\.0.*swapped"
    with pytest.raises(GridError, match=message):
        resolve_geobox([info_of(grid())], CubeOptions(bbox=(45.1, 15.0, 45.2, 15.1)))


def test_files_without_common_area_say_so() -> None:
    infos = [info_of(grid()), info_of(grid(affine=ORIGIN @ Affine.translation(500, 0)))]
    with pytest.raises(GridError, match=r"no area in common .* use extent: union"):
        resolve_geobox(infos, CubeOptions(extent="intersection"))


def test_a_coarse_source_nests_on_the_output_grid() -> None:
    fine = grid(21, 30)
    coarse = resolve_coarse(fine, (20, 20), "s1")
    assert tuple(coarse.shape) == (11, 15)
    assert is_nested(coarse, fine) == 2


def test_a_source_whose_pixels_do_not_nest_is_refused() -> None:
    with pytest.raises(GridError, match=r"resolution of 's1' is 25 x 25.* give a whole multiple"):
        resolve_coarse(grid(), (25, 25), "s1")
