"""What there is: sensors, models, nomenclatures, the schema."""

from __future__ import annotations

import json

from landweave.legend import list_nomenclatures
from landweave.models import list_models
from landweave.sensors import list_sensors


def together(text):
    return text.replace(" ", "")


def test_every_sensor_is_listed(cli):
    code, text = cli("sensors")
    assert code == 0
    assert [s.name for s in list_sensors() if s.name not in together(text)] == []


def test_a_sensor_shows_its_bands_and_source(cli):
    code, text = cli("sensors", "landsat-c2-l2")
    assert code == 0
    assert all(word in together(text) for word in ("swir16", "Source:", "1608.5"))


def test_every_family_of_models_is_listed_and_auto(cli):
    code, text = cli("models")
    assert code == 0
    assert [m.name for m in list_models() if m.name not in together(text)] == []
    assert "auto" in text


def test_every_nomenclature_is_listed(cli):
    code, text = cli("nomenclatures")
    assert code == 0
    assert [n for n in list_nomenclatures() if n not in together(text)] == []


def test_a_nomenclature_shows_its_classes(cli):
    code, text = cli("nomenclatures", "esa-worldcover")
    assert code == 0
    assert "Mangroves" in text
    assert "95" in text


def test_the_schema_is_json(capsys, cli):
    code, text = cli("schema")
    assert code == 0
    assert json.loads(text)["title"] == "Landweave recipe"


def test_unknown_names_list_what_there_is(cli):
    code, text = cli("sensors", "sentinel2")
    assert code == 2
    assert "sentinel-2-l2a" in text
    code, text = cli("nomenclatures", "worldcover")
    assert code == 2
    assert "esa-worldcover" in text
