"""Styles that a GIS opens a map with.

Receives a legend; hands on a QGIS style file (.qml) of unique values.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

from landweave.io.files import write_text
from landweave.legend import Legend

__all__ = ["write_qml"]


def write_qml(path: Path | str, legend: Legend, *, unsure: bool = False) -> Path:
    """Write a QGIS style that shows a map of codes in the legend's colours, with the class names as labels.

    QGIS takes it up by itself when it stands beside the raster under the same stem.

    Args:
        path: The .qml file.
        legend: The classes, in the order of the legend panel.
        unsure: Whether the map has pixels of the "unsure" code, which then get an entry of their own.
    """
    root = ET.Element("qgis", version="3.22.0", styleCategories="Symbology", maxScale="0", minScale="1e+08",
                      hasScaleBasedVisibilityFlag="0")  # fmt: skip
    pipe = ET.SubElement(root, "pipe")
    provider = ET.SubElement(pipe, "provider")
    ET.SubElement(provider, "resampling", enabled="false", zoomedInResamplingMethod="nearestNeighbour", maxOversampling="2",
                  zoomedOutResamplingMethod="nearestNeighbour")  # fmt: skip
    renderer = ET.SubElement(pipe, "rasterrenderer", type="paletted", band="1", opacity="1", alphaBand="-1", nodataColor="")
    ET.SubElement(renderer, "rasterTransparency")
    palette = ET.SubElement(renderer, "colorPalette")
    entries = [(c.code, c.color, c.name) for c in legend]
    if unsure:
        entries.append((legend.unsure, "#bebebe", "unsure"))
    for code, color, name in entries:
        ET.SubElement(palette, "paletteEntry", value=str(code), color=color.lower(), alpha="255", label=name)
    ET.SubElement(pipe, "brightnesscontrast", brightness="0", contrast="0", gamma="1")
    ET.SubElement(pipe, "huesaturation", saturation="0", grayscaleMode="0", colorizeOn="0")
    ET.SubElement(pipe, "rasterresampler", maxOversampling="2")
    ET.SubElement(root, "blendMode").text = "0"
    ET.indent(root)
    text = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n" + ET.tostring(root, encoding="unicode") + "\n"
    write_text(path, text)
    return Path(path)
