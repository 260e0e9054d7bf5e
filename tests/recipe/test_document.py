"""Recipes as documents: what is accepted, what is refused and in which words, and the schema for editors."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from landweave.errors import RecipeError
from landweave.recipe import Recipe, read_recipe, recipe_schema
from landweave.recipe.document import PublishedOptions, check_recipe
from landweave.recipe.reading import load_yaml

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))
GOOD = "name: a\nsamples:\n  series: s.npz\n"


@pytest.fixture
def read(tmp_path):
    (tmp_path / "s.npz").touch()

    def make(text):
        (tmp_path / "r.yaml").write_text(text)
        return read_recipe(tmp_path / "r.yaml")

    return make


def test_paths_are_absolute_and_defaults_filled(read, tmp_path):
    recipe = read(GOOD)
    assert recipe.samples.series == str(tmp_path / "s.npz")
    assert (recipe.model.name, recipe.write_cube, recipe.make_legend()) == ("random-forest", True, None)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_every_example_is_a_recipe_that_fits_the_schema(path):
    values, lines = load_yaml(path)
    assert check_recipe(values, source=path, lines=lines).name
    plain = json.loads(json.dumps(yaml.safe_load(path.read_text()), default=str))
    jsonschema.validate(plain, json.loads(recipe_schema()), jsonschema.Draft202012Validator)


@pytest.mark.parametrize(("text", "message"), [
    (GOOD + "modell: {}\n", r"r\.yaml line 4: unknown key 'modell'; did you mean 'model'\? \(known: .*samples"),
    (GOOD + "model:\n  sede: 1\n", r"line 5: unknown key 'model\.sede'; did you mean 'seed'\? \(known: "),
    (GOOD + "legend:\n - {code: 1, name: a}\n - {code: 2, nam: b}\n",
     r"line 6: unknown key 'legend\.1\.nam'; did you mean 'name'"),
    ("samples: {series: s.npz}\n", "key 'name' is missing"),
    (GOOD + "model: {seed: -1}\n", r"line 4: model\.seed: Input should be greater than or equal to 0 \(got -1\)"),
    (GOOD + "model: {seed: abc}\n", r"model\.seed: .*integer.* \(got 'abc'\)"),
    (GOOD + "map: {proba: perhaps}\n", r"map\.proba: .*boolean.*\(got 'perhaps'\)"),
    ("name: a b\nsamples: {series: s.npz}\n", r"line 1: name: .*pattern"),
    ("name: a\nsamples: {reference: p.gpkg}\n", "neither `imagery` nor `samples.series`"),
    ("name: a\nsamples: {series: s.npz, reference: p.gpkg}\n", "both are given"),
    (GOOD + "legend: worldcover-1999\n", r"line 4: legend: .*worldcover"),
    (GOOD + "legend: [{code: 1, name: a}, {code: 1, name: b}]\n", r"legend: .*\b1\b"),
    (GOOD + "imagery: {main: {paths: x, sensor: sentinel-9}}\n", r"imagery\.main\.sensor: .*sentinel-9.*sentinel-2-l2a"),
    (GOOD + "cube: {start: 2021-13-01}\n", r"cube\.start: .*\(got '2021-13-01'\)"),
    (GOOD + "cube: {start: 2021-06-01, end: 2020-06-01}\n", r"cube: .*2021-06-01.*2020-06-01"),
])  # fmt: skip
def test_a_mistake_is_one_line_with_line_key_value_and_what_is_allowed(read, text, message):
    with pytest.raises(RecipeError, match=message):
        read(text)


def test_every_mistake_is_told_at_once(read):
    with pytest.raises(RecipeError, match=r"(?s)line 5: split\.n_folds.*\n.*line 4: unknown key 'modell'"):
        read(GOOD + "modell: {}\nsplit: {n_folds: 1}\n")


def test_every_missing_file_is_told_with_its_line(read):
    text = GOOD.replace("s.npz", "t.npz") + "imagery:\n  main:\n    paths: [s.npz, img/*.tif]\ncube: {like: g.tif}\n"
    with pytest.raises(RecipeError, match=r"line 6: imagery\.main\.paths: no file matches .*img/\*\.tif"):
        read(text)


def test_a_nomenclature_by_name_is_the_legend(read):
    assert read(GOOD + "legend: esa-worldcover\n").make_legend().codes[0] == 10


def test_published_figures_name_the_same_classes():
    with pytest.raises(ValueError, match=r"must name the same classes; b stands in one only"):
        PublishedOptions(name="x", users={"a": 1, "b": 1}, producers={"a": 1}, train_share=0.1)
    with pytest.raises(ValueError, match=r"accuracy 97\.0 is not a share; give 0\.\.1"):
        PublishedOptions(name="x", users={"a": 97}, producers={"a": 1}, train_share=0.1)


def test_published_macro_f1_is_the_mean_of_the_classes():
    one = PublishedOptions(name="x", users={"a": 1, "b": 0.5}, producers={"a": 0.5, "b": 0.5}, train_share=0.1)
    assert one.macro_f1 == pytest.approx((2 / 3 + 0.5) / 2)


def test_the_schema_describes_every_key():
    schema = json.loads(recipe_schema())
    assert schema["title"] == "Landweave recipe"
    assert set(schema["properties"]) == set(Recipe.model_fields)
    objects = {"Recipe": schema, **schema["$defs"]}
    bare = [f"{n}.{k}" for n, o in objects.items() for k, v in o.get("properties", {}).items() if not v.get("description")]
    assert [b for b in bare if not b.startswith("Season")] == []  # described by their class


def test_what_was_dumped_reads_back(read):
    recipe = read(GOOD)
    assert Recipe.model_validate(recipe.model_dump(mode="json", exclude_unset=True)) == recipe


def test_vector_files_of_place_are_meant_from_the_recipes_folder(tmp_path):
    import yaml

    (tmp_path / "places.gpkg").touch()
    (tmp_path / "dem.tif").touch()
    recipe = {"name": "a", "imagery": {"dem": {"paths": "dem.tif", "sensor": "dem"}}, "samples": {"reference": "places.gpkg"},
              "cube": {"terrain": ["slope"], "place": {"distances": {"rivers": "rivers.gpkg"}}}}  # fmt: skip
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe))
    with pytest.raises(RecipeError, match=r"cube\.place\.distances\.rivers: .*rivers\.gpkg does not exist"):
        read_recipe(path)
    (tmp_path / "rivers.gpkg").touch()
    place = read_recipe(path).cube.place
    assert place is not None
    assert place.distances == {"rivers": tmp_path / "rivers.gpkg"}
