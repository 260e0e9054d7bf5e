"""Files that interpreters work with: GeoPackage with a QGIS style, CSV, and the tables of Collect Earth Online.

Receives a table of places to label; hands on files. Receives filled-in files; hands on one table of answers.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from landweave.errors import SampleError
from landweave.io.files import write_text
from landweave.io.vectors import read_table, read_vectors, write_gpkg
from landweave.legend import Legend

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

__all__ = ["read_answers", "write_ceo", "write_form_style", "write_places"]

_PLACE = ("place", "plotid", "plot_id", "pl_plotid")
_CLASS = ("class", "label", "land_cover", "landcover", "reference")
_LABELLER = ("labeller", "email", "user", "analyst", "interpreter", "user_email")
_ALTERNATE = ("alternate", "alternate class", "second class", "class_2")


def write_places(path: Path | str, places: gpd.GeoDataFrame, legend: Legend) -> list[Path]:
    """Write places to label as GeoPackage (with a QGIS form beside it) or CSV, by the ending of the path.

    Args:
        path: Ends in .gpkg or .csv.
        places: What `samples.hide_map` gives.
        legend: The classes to choose from.

    Returns:
        The files written.

    Raises:
        SampleError: If the ending is another one.
    """
    at = Path(path)
    if at.suffix.lower() == ".gpkg":
        write_gpkg(at, places, layer="places")
        return [at, write_form_style(at.with_suffix(".qml"), legend)]
    if at.suffix.lower() == ".csv":
        write_text(at, places.drop(columns="geometry").to_csv(index=False, lineterminator="\n"))
        return [at]
    raise SampleError(f"places to label are written as .gpkg or .csv, but {at.name} ends in {at.suffix or 'nothing'}")


def write_ceo(stem: Path | str, places: gpd.GeoDataFrame) -> list[Path]:
    """Write the two tables that Collect Earth Online takes: `<stem>.ceo-plots.csv` and `<stem>.ceo-samples.csv`.

    Columns LON, LAT, PLOTID for plots, and SAMPLEID with them for samples, in degrees on WGS84. Its upload form asks for "a CSV
    with these fields: LON,LAT,PLOTID,SAMPLEID" (source code of openforis/collect-earth-online).
    """
    base = Path(stem)
    plots = [f"{p.lon:.8f},{p.lat:.8f},{p.place}" for p in places.itertuples()]
    made = []
    for name, head, tail in (("ceo-plots", "LON,LAT,PLOTID", ""), ("ceo-samples", "LON,LAT,PLOTID,SAMPLEID", ",1")):
        to = base.with_name(f"{base.name}.{name}.csv")
        write_text(to, "\n".join([head, *(row + tail for row in plots)]) + "\n")
        made.append(to)
    return made


def write_form_style(path: Path | str, legend: Legend) -> Path:
    """Write a QGIS style (.qml) for the places: hollow marks over the imagery, and lists of classes in the form's fields."""
    root = ET.Element("qgis", version="3.22.0", styleCategories="Symbology|Fields|Forms")
    fields = ET.SubElement(root, "fieldConfiguration")
    for name in ("class", "alternate"):
        _value_map(ET.SubElement(fields, "field", name=name), legend)
    renderer = ET.SubElement(root, "renderer-v2", type="singleSymbol", symbollevels="0", enableorderby="0", forceraster="0")
    symbols = ET.SubElement(renderer, "symbols")
    symbol = ET.SubElement(symbols, "symbol", name="0", type="marker", alpha="1", clip_to_extent="1")
    layer = ET.SubElement(symbol, "layer", {"class": "SimpleMarker", "enabled": "1", "locked": "0", "pass": "0"})
    look = {"name": "square", "color": "0,0,0,0", "outline_color": "255,255,0,255", "outline_width": "0.6", "size": "4",
            "outline_style": "solid", "outline_width_unit": "MM", "size_unit": "MM"}  # fmt: skip
    options = ET.SubElement(layer, "Option", type="Map")
    for key, value in look.items():
        ET.SubElement(options, "Option", name=key, type="QString", value=value)
    ET.indent(root)
    text = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n" + ET.tostring(root, encoding="unicode") + "\n"
    write_text(path, text)
    return Path(path)


def _value_map(field: ET.Element, legend: Legend) -> None:
    config = ET.SubElement(ET.SubElement(field, "editWidget", type="ValueMap"), "config")
    options = ET.SubElement(config, "Option", type="Map")
    listed = ET.SubElement(options, "Option", name="map", type="List")
    for c in legend:
        entry = ET.SubElement(listed, "Option", type="Map")
        ET.SubElement(entry, "Option", name=c.name, type="QString", value=c.name)


def read_answers(
    paths: Sequence[Path | str], *, place_column: str | None = None, class_column: str | None = None,
    labeller_column: str | None = None, alternate_column: str | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Read what interpreters filled in, from any number of files.

    Args:
        paths: GeoPackages, CSV or other vector files; the download of Collect Earth Online's samples is one of these, with the
            survey's question as `class_column`.
        place_column: Column of the place's number; `place` or `plotid` by default.
        class_column: Column of the answer; `class`, `label` and the like by default.
        labeller_column: Who answered; `labeller` or `email` by default. Where it is missing or empty the file's name stands for
            its labeller.
        alternate_column: A second label; `alternate` by default, if there is one.

    Returns:
        Columns place, class, labeller, alternate, one row per answer.

    Raises:
        SourceError: If a file cannot be read.
        SampleError: If a column is missing, or a place's number is no whole number.
    """
    import pandas as pd

    if not paths:
        raise SampleError("no file of answers is given; name at least one")
    parts = []
    for path in paths:
        table = _read(path)
        place = _column(table, path, place_column, _PLACE, "place_column")
        label = _column(table, path, class_column, _CLASS, "class_column")
        who = _column(table, path, labeller_column, _LABELLER, None)
        second = _column(table, path, alternate_column, _ALTERNATE, None)
        number = pd.to_numeric(table[place], errors="coerce")
        if number.isna().any() or (number % 1 != 0).any():
            bad = table[place][number.isna() | (number % 1 != 0)].iloc[0]
            raise SampleError(f"{path} has {bad!r} in the column {place!r}; expected the whole number of a place of the design")
        stem = Path(path).stem
        names = pd.Series(stem, index=table.index) if who is None else table[who].astype(object).where(table[who].notna(), "")
        named = names.astype(str).str.strip()
        parts.append(pd.DataFrame({
            "place": number.astype("int64"), "class": table[label], "labeller": named.where(named != "", stem),
            "alternate": None if second is None else table[second],
        }))  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def _read(path: Path | str) -> Any:
    if Path(path).suffix.lower() in (".csv", ".tsv", ".txt"):
        return read_table(path)
    frame = read_vectors(path)
    return frame.drop(columns=frame.geometry.name)


def _column(table: Any, path: Path | str, given: str | None, names: tuple[str, ...], option: str | None) -> str | None:
    have = [str(c) for c in table.columns]
    if given is not None:
        if given not in have:
            raise SampleError(f"{path} has no column {given!r}; it has {', '.join(have)}")
        return given
    plain = {c.strip().casefold(): c for c in have}
    found = next((plain[n] for n in names if n in plain), None)
    if found is None and option is not None:
        raise SampleError(f"{path} has no column {' or '.join(names[:2])} (columns: {', '.join(have)}); name it with {option}")
    return found
