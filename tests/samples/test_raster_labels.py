from __future__ import annotations

import numpy as np
import pytest

from landweave.errors import SampleError, SourceError
from landweave.legend import LandClass, Legend
from landweave.samples import import_reference
from landweave.samples.reference import pixel_of


@pytest.fixture
def labels() -> np.ndarray:
    values = np.zeros((40, 50), dtype=np.uint8)
    values[:20], values[20:, 25:] = 3, 7
    return values


def test_pixels_of_each_class_are_drawn(labels, write_raster, options, geobox):
    made = import_reference(options(write_raster(labels), max_per_class=30, unlabelled=[0]), geobox=geobox)
    assert made.frame["class"].value_counts().to_dict() == {"3": 30, "7": 30}
    row, col = pixel_of(made.frame, geobox)
    assert (labels[row, col].astype(str) == made.frame["class"]).all()
    assert "30 of 1000 pixels with the label 3" in made.design.note


def test_a_class_smaller_than_the_cap_is_taken_whole(labels, write_raster, options, geobox):
    labels[0, :5] = 9
    made = import_reference(options(write_raster(labels), max_per_class=30, unlabelled=[0]), geobox=geobox)
    assert made.frame["class"].value_counts()["9"] == 5


def test_the_draw_depends_on_the_seed_not_on_blocks(labels, write_raster, options, geobox, monkeypatch):
    path = write_raster(labels)

    def draw(seed: int) -> list[str]:
        made = import_reference(options(path, max_per_class=10, seed=seed), geobox=geobox)
        return sorted(made.frame["group"])

    first, other = draw(0), draw(1)
    monkeypatch.setattr("landweave.samples.raster_labels._BLOCK_PX", 16)
    assert draw(0) == first != other


def test_nodata_is_no_label(labels, write_raster, options, geobox):
    made = import_reference(options(write_raster(labels, nodata=0), max_per_class=5), geobox=geobox)
    assert made.legend.codes == (3, 7)


def test_names_come_from_the_legend_or_the_mapping(labels, write_raster, options, geobox):
    legend = Legend((LandClass(3, "crop", "#ffff00"), LandClass(7, "tree", "#00ff00")))
    path = write_raster(labels, nodata=0)
    made = import_reference(options(path, max_per_class=5), legend=legend, geobox=geobox)
    assert set(made.frame["class"]) == {"crop", "tree"}
    made = import_reference(options(path, max_per_class=5, classes={3: "a", 7: "b"}), geobox=geobox)
    assert made.legend.names == ("a", "b")


def test_an_excluded_class_is_told_with_its_count(labels, write_raster, options, geobox):
    made = import_reference(options(write_raster(labels, nodata=0), max_per_class=5, exclude=["7"]), geobox=geobox)
    assert made.rejected["reason"].tolist() == ["class is excluded by the recipe (500 pixels)"]


def test_a_label_raster_needs_a_cap(labels, write_raster, options, geobox):
    with pytest.raises(SampleError, match=r"say how many of each class are drawn with max_per_class"):
        import_reference(options(write_raster(labels)), geobox=geobox)


def test_fractions_are_no_labels(labels, write_raster, options, geobox):
    with pytest.raises(SourceError, match=r"holds fractions such as 3.5; labels are whole numbers"):
        import_reference(options(write_raster(labels.astype("float32") + 0.5), max_per_class=5), geobox=geobox)


def test_a_missing_layer_is_an_error(labels, write_raster, options, geobox):
    with pytest.raises(SampleError, match=r"has 1 layers, numbered from 1; layer is 2"):
        import_reference(options(write_raster(labels), max_per_class=5, layer=2), geobox=geobox)
