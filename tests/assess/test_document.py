"""assessment.json: what stands in it, written and read."""

from __future__ import annotations

import json

import jsonschema
import pytest

from landweave.assess import assess_map, assessment_schema, read_assessment, write_assessment
from landweave.assess.document import Assessment
from landweave.errors import AssessmentError, SourceError


def test_reading_gives_what_was_written(product, draw_stratified, tmp_path):
    a = assess_map(product, draw_stratified(product), title="A map")
    assert read_assessment(write_assessment(a, tmp_path / "assessment.json")) == a


def test_the_file_follows_its_schema(product, draw_simple, tmp_path):
    path = write_assessment(assess_map(product, draw_simple(kind="none")), tmp_path / "assessment.json")
    jsonschema.validate(json.loads(path.read_text()), assessment_schema())


def test_the_file_has_the_keys_of_the_contract(product, draw_stratified, tmp_path):
    data = json.loads(write_assessment(assess_map(product, draw_stratified(product)), tmp_path / "a.json").read_text())
    assert data["schema_version"] == 1
    assert {"random", "spatial", "knndm"} == set(data["cross_validation"])
    assert {"counts", "proportions", "row_codes"} <= set(data["error_matrix"])
    assert {"value", "se", "lower", "upper", "n"} <= set(data["classes"][0]["users"]) & set(data["classes"][0]["producers"])
    keys = {"code", "name", "mapped_ha", "area_ha", "se_ha", "ci95_ha", "lower_ha", "upper_ha", "why"}
    assert keys <= set(data["areas"][0])
    assert set(data["baselines"]) == {"majority", "prior"}


def test_the_same_assessment_gives_the_same_bytes(product, draw_simple, tmp_path):
    a, b = (write_assessment(assess_map(product, draw_simple()), tmp_path / name) for name in ("a.json", "b.json"))
    assert a.read_bytes() == b.read_bytes()


def test_another_version_is_refused(tmp_path):
    (tmp_path / "a.json").write_text('{"schema_version": 7}')
    with pytest.raises(AssessmentError, match="schema_version 7, this version of landweave reads 1; make it anew"):
        read_assessment(tmp_path / "a.json")


def test_a_wrong_key_is_named(tmp_path):
    data = Assessment(basis="counts").model_dump(mode="json") | {"accuracy": 1}
    (tmp_path / "a.json").write_text(json.dumps(data))
    with pytest.raises(AssessmentError, match="is not an assessment: accuracy: Extra inputs"):
        read_assessment(tmp_path / "a.json")


def test_json_that_is_no_object_is_refused(tmp_path):
    (tmp_path / "a.json").write_text("[1]")
    with pytest.raises(SourceError, match="holds a JSON list, not an assessment"):
        read_assessment(tmp_path / "a.json")
