from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import rasterio

from landweave.cube import CubeOptions, load_cube
from landweave.errors import SampleError
from landweave.grid import make_geobox
from landweave.imagery import SourceOptions, find_scenes
from landweave.label import (
    ProposeOptions,
    add_labels,
    export_places,
    import_answers,
    options_of,
    propose_places,
    refit_model,
    train_committee,
)
from landweave.legend import Legend
from landweave.models import ModelOptions, train_model
from landweave.samples import extract_samples
from landweave.samples.design import draw_design
from landweave.samples.options import DrawOptions
from landweave.types import SampleTable

OPTIONS = ModelOptions(params={"n_estimators": 15})
LEGEND = Legend.from_names(["crop", "forest", "water"])


def truth_at(samples: SampleTable) -> list[str]:
    """Three stripes of a third of the width each."""
    x = samples.to_xy("EPSG:32633")[:, 0]
    return [LEGEND.names[min(int((v - 500_000) // 200), 2)] for v in x]


@pytest.fixture(scope="module")
def cubes(tmp_path_factory):
    """60 x 60 pixels of two bands; the stripes of crop and forest overlap in their values."""
    rng = np.random.default_rng(3)
    geobox = make_geobox((500_000, 5_000_000, 500_600, 5_000_600), "EPSG:32633", 10)
    stripe = np.repeat([0, 1, 2], 20)[None, :].repeat(60, axis=0)
    values = np.array([[0.3, 0.4, 0.05], [0.5, 0.45, 0.02]])[:, stripe] + rng.normal(0, 0.04, (2, 60, 60))
    path = tmp_path_factory.mktemp("cube") / "scene.tif"
    profile = {"driver": "GTiff", "width": 60, "height": 60, "count": 2, "dtype": "float32", "nodata": -9999}
    with rasterio.open(path, "w", crs="EPSG:32633", transform=geobox.affine, **profile) as file:
        file.write(values.astype(np.float32))
    source = SourceOptions(paths=str(path), layers=["red", "nir"], static=True, kind="reflectance")
    return load_cube({"main": find_scenes(source)}, options=CubeOptions())


@pytest.fixture(scope="module")
def known(cubes):
    places = draw_design(cubes.geobox, options=DrawOptions(kind="simple", n=30, seed=1))
    frame = places.frame.assign(**{"class": truth_at(places), "purpose": "train"})
    return extract_samples(SampleTable(frame, LEGEND), cubes)


@pytest.fixture(scope="module")
def model(known):
    return train_model(known, options=OPTIONS)


def propose(model, cubes, **options):
    return propose_places(model, cubes, options=ProposeOptions(**{"n": 12, "n_candidates": 800, **options}))


@pytest.mark.parametrize("strategy", ["margin", "entropy", "least-confident"])
def test_places_are_proposed_where_classes_overlap(model, cubes, strategy):
    places = propose(model, cubes, strategy=strategy, diversity="none")
    assert len(places) == 12
    assert truth_at(places).count("water") <= 2  # a sixth; it covers a third
    assert places.frame["priority"].tolist() == list(range(1, 13))
    assert places.frame["score"].is_monotonic_decreasing


def test_proposed_places_are_no_probability_sample(model, cubes):
    places = propose(model, cubes)
    assert places.design.kind == "none"
    assert "must not be estimated" in places.design.note
    assert places.frame["inclusion_probability"].isna().all()
    assert (places.frame["class"] == "").all() or places.frame["class"].isna().all()


def test_places_keep_away_from_each_other_and_from_labels(model, cubes, known):
    options = ProposeOptions(n=12, n_candidates=800, min_distance_m=60)
    places = propose_places(model, cubes, options=options, labelled=known)
    at, old = places.to_xy("EPSG:32633"), known.to_xy("EPSG:32633")
    assert np.linalg.norm(at[:, None] - old[None], axis=2).min() > 59.9
    with pytest.raises(SampleError, match=r"lie within 5000 m of a labelled place; make min_distance_m smaller"):
        propose_places(model, cubes, options=ProposeOptions(min_distance_m=5000), labelled=known)


def test_a_committee_needs_members(model, cubes, known, rng):
    with pytest.raises(SampleError, match="there is only one; give more model folders"):
        propose(model, cubes, strategy="committee")
    members = train_committee(known, options=OPTIONS, n_members=3, rng=rng)
    options = ProposeOptions(n=12, n_candidates=800, strategy="committee", diversity="none")
    places = propose_places(model, cubes, options=options, committee=members)
    assert truth_at(places).count("water") <= 2  # a sixth; it covers a third


def answer(places, path, *, blank=0):
    """Fill in the exported form as a person would."""
    frame = gpd.read_file(export_places(places, path))
    labels = truth_at(places)
    frame["class"] = ["" if i < blank else n for i, n in enumerate(labels)]
    frame["labeller"] = "ann"
    frame.to_file(path) if path.suffix == ".gpkg" else frame.drop(columns="geometry", errors="ignore").to_csv(path, index=False)
    return path


def test_the_form_hides_what_the_model_thinks(model, cubes, tmp_path):
    form = gpd.read_file(export_places(propose(model, cubes), tmp_path / "places.gpkg"))
    assert {"sample_id", "priority", "class", "labeller", "note", "lon", "lat"} <= set(form.columns)
    assert not {"score", "proba"} & set(form.columns)
    assert (form["class"].fillna("") == "").all()
    with pytest.raises(SampleError, match=r"ends in \.gpkg or \.csv"):
        export_places(propose(model, cubes), tmp_path / "places.xlsx")


@pytest.mark.parametrize("name", ["places.gpkg", "places.csv"])
def test_answers_come_back_with_labeller_and_without_blanks(model, cubes, tmp_path, name):
    places = propose(model, cubes)
    answers = import_answers(answer(places, tmp_path / name, blank=2), cubes, card=model.card)
    assert len(answers) == 10
    assert answers.frame["class"].tolist() == truth_at(answers)
    assert set(answers.frame["labeller"]) == {"ann"}
    assert len(answers.rejected) == 2


def test_a_misspelt_answer_names_the_class_meant(model, cubes, tmp_path):
    path = answer(propose(model, cubes), tmp_path / "places.csv")
    path.write_text(path.read_text().replace("forest", "forrest"))
    with pytest.raises(SampleError, match=r"'forrest' .* did you mean 'forest'"):
        import_answers(path, cubes, card=model.card)


def test_a_round_makes_the_model_better(model, cubes, known, tmp_path):
    places = propose(model, cubes, n=80, strategy="margin")
    answers = import_answers(answer(places, tmp_path / "places.gpkg"), cubes, card=model.card)
    done = refit_model(model, known, answers, cubes)
    assert (done.n_new, len(done.samples)) == (80, 110)
    assert done.samples.frame["sample_id"].is_unique
    test = extract_samples(draw_design(cubes.geobox, options=DrawOptions(kind="simple", n=1000, seed=9)), cubes)
    right = [np.mean(np.array(LEGEND.names)[m.predict_features_index(test.to_features())] == truth_at(test))
             for m in (model, done.model)]  # fmt: skip
    assert right[1] > right[0]


def test_answers_of_another_cube_are_refused(known, cubes, clean):
    with pytest.raises(SampleError, match=r"cube gives 2 features .* the samples have 12 features"):
        add_labels(clean, known, cubes)


def test_options_are_those_of_the_model(model):
    made = options_of(model.card)
    assert made.name == "random-forest"
    assert made.params["n_estimators"] == 15
