"""Small rasters and fake products with the genuine layout."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine

WriteRaster = Callable[..., Path]


@pytest.fixture
def write_raster() -> WriteRaster:
    """Write a small raster: `write(path, count, descriptions=, origin=, size=, resolution=, dtype=, crs=, driver=)`."""

    def write(
        path: Path, count: int = 1, *, descriptions: Sequence[str | None] = (), origin: tuple[float, float] = (6e5, 5e6),
        size: int = 8, resolution: float = 10, dtype: str = "uint16", crs: str | None = "EPSG:32633", driver: str = "GTiff",
        value: float = 1500, **profile: Any,
    ) -> Path:  # fmt: skip
        path.parent.mkdir(parents=True, exist_ok=True)
        data = np.full((count, size, size), value, dtype=dtype) + np.arange(count, dtype=dtype)[:, None, None]
        with rasterio.open(
            path, "w", driver=driver, width=size, height=size, count=count, dtype=dtype, crs=crs,
            transform=Affine(resolution, 0, origin[0], 0, -resolution, origin[1]), **profile,
        ) as dst:  # fmt: skip
            dst.write(data)
            for i, text in enumerate(descriptions, start=1):
                if text:
                    dst.set_band_description(i, text)
        return path

    return write


SAFE_XML = """<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<n1:Level-2A_User_Product xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/User_Product_Level-2A.xsd">
  <n1:General_Info>
    <Product_Info>
      <PRODUCT_START_TIME>{time}Z</PRODUCT_START_TIME>
      <PRODUCT_URI>{name}.SAFE</PRODUCT_URI>
      <PROCESSING_LEVEL>Level-2A</PROCESSING_LEVEL>
      <PROCESSING_BASELINE>{baseline}</PROCESSING_BASELINE>
    </Product_Info>
    <Product_Image_Characteristics>
      <Special_Values><SPECIAL_VALUE_TEXT>NODATA</SPECIAL_VALUE_TEXT><SPECIAL_VALUE_INDEX>0</SPECIAL_VALUE_INDEX></Special_Values>
      <QUANTIFICATION_VALUES_LIST>
        <BOA_QUANTIFICATION_VALUE unit="none">10000</BOA_QUANTIFICATION_VALUE>
      </QUANTIFICATION_VALUES_LIST>
      {offsets}
      <Spectral_Information_List>{spectral}</Spectral_Information_List>
    </Product_Image_Characteristics>
  </n1:General_Info>
</n1:Level-2A_User_Product>
"""
_PHYSICAL = ["B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B10", "B11", "B12"]
_AT = {10: ["B02", "B03", "B04", "B08"], 20: ["B02", "B03", "B04", "B05", "B8A", "B11", "SCL"], 60: ["B01", "B02", "B09"]}


@pytest.fixture
def make_safe(tmp_path: Path, write_raster: WriteRaster) -> Callable[..., Path]:
    """Make a `.SAFE` folder of level 2A with a few bands at each resolution."""

    def make(baseline: str = "05.11", *, offset: int | None = -1000, tile: str = "32TPS", day: str = "20240830") -> Path:
        stamp = f"{day}T100559"
        name = f"S2B_MSIL2A_{stamp}_N{baseline.replace('.', '')}_R022_T{tile}_{day}T134009"
        folder = tmp_path / f"{name}.SAFE"
        images = folder / "GRANULE" / f"L2A_T{tile}_A038765_{day}T100558" / "IMG_DATA"
        for size, bands in _AT.items():
            for band in bands:
                path = images / f"R{size}m" / f"T{tile}_{stamp}_{band}_{size}m.jp2"
                write_raster(path, size=120 // size, resolution=size, driver="JP2OpenJPEG", value=4 if band == "SCL" else 1500)
        items = "".join(f'<BOA_ADD_OFFSET band_id="{i}">{offset}</BOA_ADD_OFFSET>' for i in range(13))
        text = SAFE_XML.format(
            name=name, baseline=baseline, time=f"{day[:4]}-{day[4:6]}-{day[6:]}T10:05:59.024",
            offsets="" if offset is None else f"<BOA_ADD_OFFSET_VALUES_LIST>{items}</BOA_ADD_OFFSET_VALUES_LIST>",
            spectral="".join(f'<Spectral_Information bandId="{i}" physicalBand="{b}"/>' for i, b in enumerate(_PHYSICAL)),
        )  # fmt: skip
        (folder / "MTD_MSIL2A.xml").write_text(text, encoding="utf-8")
        return folder

    return make


MTL = """GROUP = LANDSAT_METADATA_FILE
  GROUP = PRODUCT_CONTENTS
    LANDSAT_PRODUCT_ID = "{product}"
    PROCESSING_LEVEL = "{level}"
  END_GROUP = PRODUCT_CONTENTS
  GROUP = IMAGE_ATTRIBUTES
    SPACECRAFT_ID = "{platform}"
    WRS_PATH = 193
    WRS_ROW = 27
    DATE_ACQUIRED = 2020-07-04
    SCENE_CENTER_TIME = "09:58:19.1234560Z"
  END_GROUP = IMAGE_ATTRIBUTES
  GROUP = LEVEL2_SURFACE_REFLECTANCE_PARAMETERS
{reflectance}
  END_GROUP = LEVEL2_SURFACE_REFLECTANCE_PARAMETERS
  GROUP = LEVEL2_SURFACE_TEMPERATURE_PARAMETERS
    TEMPERATURE_MULT_BAND_{thermal} = 0.00341802
    TEMPERATURE_ADD_BAND_{thermal} = 149.0
  END_GROUP = LEVEL2_SURFACE_TEMPERATURE_PARAMETERS
  GROUP = LEVEL1_RADIOMETRIC_RESCALING
    REFLECTANCE_MULT_BAND_4 = 2.0000E-05
    REFLECTANCE_ADD_BAND_4 = -0.100000
  END_GROUP = LEVEL1_RADIOMETRIC_RESCALING
END_GROUP = LANDSAT_METADATA_FILE
END
"""


@pytest.fixture
def make_landsat(tmp_path: Path, write_raster: WriteRaster) -> Callable[..., Path]:
    """Make a folder of a Landsat Collection 2 level-2 product."""

    def make(platform: str = "LANDSAT_8", *, level: str = "L2SP") -> Path:
        is_oli = platform in ("LANDSAT_8", "LANDSAT_9")
        prefix = {"LANDSAT_5": "LT05", "LANDSAT_7": "LE07", "LANDSAT_8": "LC08", "LANDSAT_9": "LC09"}[platform]
        product = f"{prefix}_{level}_193027_20200704_20200913_02_T1"
        numbers = [1, 2, 3, 4, 5, 6, 7] if is_oli else [1, 2, 3, 4, 5, 7]
        thermal = "ST_B10" if is_oli else "ST_B6"
        for suffix in (*(f"SR_B{n}" for n in numbers), thermal, "QA_PIXEL", "ST_QA"):
            write_raster(tmp_path / product / f"{product}_{suffix}.TIF", resolution=30, value=9000)
        lines = [f"    REFLECTANCE_MULT_BAND_{n} = 2.75e-05\n    REFLECTANCE_ADD_BAND_{n} = -0.2" for n in numbers]
        text = MTL.format(product=product, platform=platform, level=level, thermal=thermal, reflectance="\n".join(lines))
        (tmp_path / product / f"{product}_MTL.txt").write_text(text, encoding="utf-8")
        return tmp_path / product

    return make


def _load_server() -> Any:
    """Import the server beside this file: pytest's importlib mode puts no folder on the path."""
    spec = importlib.util.spec_from_file_location("landweave_stac_server", Path(__file__).with_name("stac_server.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def stac_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A STAC API on localhost, in a process of its own."""
    running = _load_server().StacServer(tmp_path_factory.mktemp("served"))
    yield running
    running.close()


@pytest.fixture
def server(tmp_path: Path, stac_server: Any) -> Any:
    """The STAC API, serving the files of `tmp_path/served` without faults."""
    pytest.importorskip("pystac_client", reason="the extra 'stac' is not installed")
    (tmp_path / "served").mkdir()
    stac_server.reset(tmp_path / "served")
    return stac_server


@pytest.fixture
def make_item(tmp_path: Path, write_raster: WriteRaster, rng: np.random.Generator) -> Callable[..., dict[str, Any]]:
    """Write the files of a Sentinel-2 item below `tmp_path/served` and give its JSON, made by pystac."""
    pystac = pytest.importorskip("pystac", reason="the extra 'stac' is not installed")

    def make(
        name: str, time: str, *, base: str = "", value: int = 1500, size: int = 12, rough: bool = False,
        scl: np.ndarray | None = None, collection: str = "sentinel-2-l2a", **properties: Any,
    ) -> dict[str, Any]:  # fmt: skip
        west, south, east, north = 15.0, 45.0, 15.1, 45.2
        ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
        shape = {"type": "Polygon", "coordinates": [ring]}
        when = datetime.fromisoformat(time.replace("Z", "+00:00"))
        item = pystac.Item(name, shape, [west, south, east, north], when, dict(properties), collection=collection)
        item.properties["datetime"] = time
        for band, code in (("red", "B04"), ("nir", "B08")):
            path = tmp_path / "served" / f"{name}_{band}.tif"
            write_raster(path, size=size, value=value, nodata=0)
            if rough:
                with rasterio.open(path, "r+") as dst:
                    dst.write(rng.integers(1, 9000, (1, size, size)).astype("uint16"))
            about = {"eo:bands": [{"name": code, "common_name": band}]}
            href = f"{base}{path.name}"
            item.add_asset(band, pystac.Asset(href, media_type="image/tiff", roles=["data"], extra_fields=about))
        if scl is not None:
            path = write_raster(tmp_path / "served" / f"{name}_scl.tif", size=scl.shape[0], dtype="uint8", value=4)
            with rasterio.open(path, "r+") as dst:
                dst.write(scl[None])
            item.add_asset("scl", pystac.Asset(f"{base}{path.name}", media_type="image/tiff", roles=["data"]))
        item.add_asset("thumbnail", pystac.Asset(f"{base}small.jpg", media_type="image/jpeg", roles=["thumbnail"]))
        return item.to_dict(transform_hrefs=False)

    return make


@pytest.fixture
def add_item(server: Any, make_item: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Make an item and put it into the server's catalogue."""

    def add(name: str, time: str, *, under: str = "", **more: Any) -> dict[str, Any]:
        item = make_item(name, time, base=f"{server.url}/files/{under}", **more)
        item["properties"]["datetime"] = time
        server.add(item)
        return item

    return add
