"""The QGIS style holds the legend."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from landweave.io.styles import write_qml
from landweave.legend import LandClass, Legend

LEGEND = Legend((LandClass(3, "Forêt & bois", "#228833"), LandClass(0, '"Water" <deep>', "#4477AA")))


def test_the_style_shows_each_class_in_its_colour_under_its_name(tmp_path):
    root = ET.parse(write_qml(tmp_path / "map.qml", LEGEND)).getroot()
    renderer = root.find("pipe/rasterrenderer")
    assert root.tag == "qgis"
    assert (renderer.get("type"), renderer.get("band")) == ("paletted", "1")
    entries = renderer.findall("colorPalette/paletteEntry")
    assert [tuple(e.get(k) for k in ("value", "color", "label", "alpha")) for e in entries] == [
        ("3", "#228833", "Forêt & bois", "255"), ("0", "#4477aa", '"Water" <deep>', "255")]  # fmt: skip


def test_unsure_pixels_get_an_entry_where_there_are_any(tmp_path):
    root = ET.parse(write_qml(tmp_path / "map.qml", LEGEND, unsure=True)).getroot()
    assert [e.get("value") for e in root.iter("paletteEntry")][-1] == "254"
