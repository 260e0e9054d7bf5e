"""From YAML to plain values: every mistake is one line with file, line, key, value and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landweave.errors import RecipeError
from landweave.recipe.reading import load_yaml, resolve_paths


@pytest.fixture
def write(tmp_path):
    def make(text):
        path = tmp_path / "r.yaml"
        path.write_text(text)
        return path

    return make


def test_lines_of_keys_and_list_items_are_known(write):
    values, lines = load_yaml(write("name: a\nlegend:\n  - {code: 1}\n  - {code: 2}\n"))
    assert values == {"name": "a", "legend": [{"code": 1}, {"code": 2}]}
    assert lines["name",] == 1
    assert lines["legend", 1, "code"] == 4


def test_dates_stay_text(write):
    assert load_yaml(write("start: 2020-02-30\n"))[0] == {"start": "2020-02-30"}


@pytest.mark.parametrize(("text", "message"), [
    ("a: [1, 2\nb: 3\n", r"r\.yaml line 2 is not YAML"),
    ("- 1\n- 2\n", "holds list, expected a mapping"),
    ("", "holds NoneType, expected a mapping"),
    ("name: a\nmodel: {}\nname: b\n", r"line 3: key 'name' stands twice \(first in line 1\)"),
    ("model:\n  seed: 1\n  seed: 2\n", r"line 3: key 'seed' stands twice \(first in line 2\)"),
])  # fmt: skip
def test_what_is_no_recipe_is_said_with_its_line(write, text, message):
    with pytest.raises(RecipeError, match=message):
        load_yaml(write(text))


def test_missing_recipe_and_folder_are_named(tmp_path):
    with pytest.raises(RecipeError, match=r"nope\.yaml does not exist"):
        load_yaml(tmp_path / "nope.yaml")
    with pytest.raises(RecipeError, match="is not a recipe: expected a YAML text file"):
        load_yaml(tmp_path)


def test_binary_file_is_no_recipe(tmp_path):
    (tmp_path / "r.yaml").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(RecipeError, match="expected a YAML text file"):
        load_yaml(tmp_path / "r.yaml")


KEYS = {("imagery", "*", "paths"): True, ("cube", "like"): False}


def test_relative_paths_are_meant_from_the_folder_of_the_recipe():
    values = {"imagery": {"a": {"paths": ["../x/*.tif", "/abs/y.tif"]}, "b": {"paths": "img"}}, "cube": {"like": "g.tif"}}
    found = resolve_paths(values, Path("/home/me/recipes"), KEYS)
    assert found["imagery"]["a"]["paths"] == ["/home/me/x/*.tif", "/abs/y.tif"]
    assert found["imagery"]["b"]["paths"] == "/home/me/recipes/img"
    assert found["cube"]["like"] == "/home/me/recipes/g.tif"
    assert values["cube"]["like"] == "g.tif"


@pytest.mark.parametrize("path", ["/vsizip//a/b.zip/c.tif", "https://example.org/a.tif", "s3://bucket/a.tif"])
def test_what_is_no_local_path_stays_as_it_is(path):
    assert resolve_paths({"cube": {"like": path}}, Path("/r"), KEYS)["cube"]["like"] == path


def test_values_that_are_no_paths_stay_as_they_are():
    values = {"cube": {"like": ["a", "b"], "bands": ["red"]}, "name": "x.tif"}
    assert resolve_paths(values, Path("/r"), KEYS) == values


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(["a", "..", ".", "b*", "c d"]), min_size=1, max_size=5))
def test_resolving_twice_changes_nothing(parts):
    once = resolve_paths({"cube": {"like": "/".join(parts)}}, Path("/q/r/s/t/u/v"), KEYS)
    assert Path(once["cube"]["like"]).is_absolute()
    assert resolve_paths(once, Path("/elsewhere"), KEYS) == once
