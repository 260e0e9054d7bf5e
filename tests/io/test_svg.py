from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np

from landweave.io.svg import Line, draw_lines, draw_places

NS = "{http://www.w3.org/2000/svg}"


def test_lines_have_their_points_bands_and_names():
    first = Line("by sample", [10, 20, 40], [0.5, 0.6, 0.7], [0.4, 0.5, 0.6], [0.6, 0.7, 0.8])
    lines = [first, Line("<b>", [10, 40], [0.2, 0.3])]
    root = ET.fromstring(draw_lines(lines, title="A & B", x_label="rows", y_label="F1"))
    assert len(root.findall(f"{NS}polyline")) == 2
    assert len(root.findall(f"{NS}polygon")) == 1
    assert len(root.findall(f"{NS}circle")) == 5
    assert {"by sample", "<b>", "A & B", "rows", "F1"} <= {t.text for t in root.iter(f"{NS}text")}


def test_a_flat_line_can_be_drawn():
    assert "polyline" in draw_lines([Line("one", [5], [0.5])], title="t", x_label="x", y_label="y")


def test_names_at_the_ends_do_not_overlap():
    lines = [Line(str(i), [0, 1], [0, 0.5]) for i in range(4)]
    root = ET.fromstring(draw_lines(lines, title="t", x_label="x", y_label="y"))
    y = sorted(float(t.get("y")) for t in root.iter(f"{NS}text") if t.text in "0123" and t.get("fill") != "#222")
    assert min(np.diff(y)) >= 14.9


def test_places_keep_north_up_and_leave_out_what_has_no_value():
    lonlat = np.array([[10.0, 50.0], [10.0, 51.0], [11.0, 50.0], [11.0, 51.0]])
    root = ET.fromstring(draw_places(lonlat, np.array([0.0, 1.0, 0.5, np.nan]), title="t", label="risk"))
    dots = [c for c in root.findall(f"{NS}circle") if c.get("r") == "3.4"]
    assert len(dots) == 3
    south, north = (next(float(c.get("cy")) for c in dots if c.get("fill") == f) for f in ("#2166ac", "#a50026"))
    assert north < south


def test_no_places_make_an_empty_picture():
    assert "<svg" in draw_places(np.zeros((0, 2)), np.zeros(0), title="t", label="risk")
