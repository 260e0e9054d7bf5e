"""The Methods paragraph."""

from __future__ import annotations

import pytest

from landweave.assess import write_methods
from landweave.assess.document import (
    Assessment,
    CrossValidationScores,
    CrossValidationSummary,
    DesignSummary,
    Estimate,
)
from landweave.types import ModelCard, ModelInput

LINEAGE = {
    "recipe": {"attribution": "Contains modified Copernicus data", "imagery": {"main": {"sensor": "sentinel2-l2a"}}},
    "stages": [{"name": "cube", "inputs": [{"path": "a.tif"}, {"path": "b.tif"}]}],
    "versions": {"landweave": "0.1", "numpy": "2.0", "pandas": "2.2"},
}
CARD = ModelCard(
    model="random-forest", title="Random forest", params={"n_estimators": 100}, classes=[],
    n_samples={"Forest": 40, "Crop": 20},
    inputs=(ModelInput(bands=("red", "nir"), kinds=("reflectance",) * 2, n_steps=2, metres=(10.0, 10.0),
                       dates=("2020-01-15", "2020-07-15")),),
)  # fmt: skip
FOLDS = CrossValidationScores(overall_accuracy=0.834, macro_f1=0.8, n_folds=5, n_repeats=2, n_samples=60, n_tested=60,
                              block_size_m=2500)  # fmt: skip


@pytest.fixture
def judged() -> Assessment:
    return Assessment(
        basis="reference-sample", n_used=640, overall_accuracy=Estimate(value=0.876, lower=0.839, upper=0.913, n=640),
        design=DesignSummary(kind="stratified", estimator="stratified"), cross_validation=CrossValidationSummary(spatial=FOLDS),
    )  # fmt: skip


@pytest.mark.parametrize(
    "told",
    [
        "2 input files (main: sentinel2-l2a)",
        "red, nir, 2 dates from 2020-01-15 to 2020-07-15",
        "pixels of 10 x 10 m",
        "60 labelled samples of 2 classes (Forest 40, Crop 20)",
        "Random forest (n_estimators 100)",
        "blocks of 2.5 km",
        "640 reference samples (design: stratified; estimator: stratified, Olofsson et al. 2014)",
        "87.6\u00a0% (95 % interval 83.9\u00a0% to 91.3\u00a0%)",
        "landweave 0.1, numpy 2.0",
        "Data: Contains modified Copernicus data.",
    ],
)
def test_the_paragraph_states_what_was_done(judged: Assessment, told: str) -> None:
    assert told in write_methods(LINEAGE, CARD, judged)


def test_the_paragraph_speaks_the_asked_language(judged: Assessment) -> None:
    text = write_methods(LINEAGE, CARD, judged, language="es")
    assert "bloques de 2,5 km" in text
    assert "87,6\u00a0%" in text
    assert text.endswith("Datos: Contains modified Copernicus data.")


def test_what_is_not_known_is_not_mentioned() -> None:
    text = write_methods({}, None, Assessment(basis="cross-validation"))
    assert text == "The map was not judged on a reference sample."
