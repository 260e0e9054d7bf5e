"""What a folder's ledger keeps, does again, and refuses."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landweave.errors import OutputExistsError
from landweave.recipe.ledger import Ledger, list_differences


def ledger(folder, *, overwrite=False):
    return Ledger(folder, recipe={"name": "a"}, command="landweave test", overwrite=overwrite)


def finish(folder, keys):
    with ledger(folder).record("work", keys, ["x.txt"]) as more:
        (folder / "x.txt").write_text("done")
        more["notes"] = ("one",)


def test_a_stage_is_finished_for_the_same_keys_only(tmp_path):
    assert not ledger(tmp_path).is_finished("work", {"seed": 1}, ["x.txt"])
    finish(tmp_path, {"seed": 1})
    assert ledger(tmp_path).is_finished("work", {"seed": 1}, ["x.txt"])
    with pytest.raises(OutputExistsError, match=r"holds the work of another run: seed was 1, is 2; --overwrite starts anew"):
        ledger(tmp_path).is_finished("work", {"seed": 2}, ["x.txt"])


def test_a_stage_that_lost_an_output_is_done_again(tmp_path):
    finish(tmp_path, {"seed": 1})
    assert not ledger(tmp_path).is_finished("work", {"seed": 1}, ["x.txt", "y.txt"])
    (tmp_path / "x.txt").unlink()
    assert not ledger(tmp_path).is_finished("work", {"seed": 2}, ["x.txt"])


def test_a_file_of_unknown_origin_is_not_touched(tmp_path):
    (tmp_path / "x.txt").write_text("mine")
    with pytest.raises(OutputExistsError, match=r"x\.txt exists and no run of landweave is known to have written it"):
        ledger(tmp_path).is_finished("work", {}, ["x.txt"])
    assert (tmp_path / "x.txt").read_text() == "mine"


def test_overwrite_removes_once_and_then_keeps_what_was_made(tmp_path):
    finish(tmp_path, {"seed": 1})
    (tmp_path / "y").mkdir()
    again = ledger(tmp_path, overwrite=True)
    assert not again.is_finished("work", {"seed": 2}, ["x.txt", "y"])
    assert not (tmp_path / "x.txt").exists()
    assert not (tmp_path / "y").exists()
    finish(tmp_path, {"seed": 2})
    assert again.is_finished("work", {"seed": 2}, ["x.txt"])


def test_a_stage_that_breaks_is_not_recorded(tmp_path):
    with pytest.raises(RuntimeError, match="no"), ledger(tmp_path).record("work", {}, ["x.txt"]):
        raise RuntimeError("no")
    assert ledger(tmp_path).find("work") is None


def test_a_record_says_files_options_time_and_recipe(tmp_path):
    finish(tmp_path, {"seed": 1})
    lineage = ledger(tmp_path).read()
    stage = lineage.find_stage("work")
    assert (lineage.recipe, lineage.command, stage.notes) == ({"name": "a"}, "landweave test", ("one",))
    assert [f.path for f in stage.outputs] == ["x.txt"]
    assert stage.seconds >= 0


@pytest.mark.parametrize(("old", "new", "told"), [
    ({"model": {"C": 1}}, {"model": {"C": 10}}, ["model.C was 1, is 10"]),
    ({"a": 1}, {"b": 2}, ["b was absent, is 2", "a was 1, is absent"]),
    ({"a": [1, 2]}, {"a": [1, 3]}, ["a[1] was 2, is 3"]),
    ({"a": [1]}, {"a": [1, 3]}, ["a was [1], is [1, 3]"]),
    ({"a": "x" * 99}, {"a": None}, [f"a was {'x' * 57}..., is not set"]),
])  # fmt: skip
def test_differences_name_the_place_and_both_values(old, new, told):
    assert list_differences(old, new) == told


json_values = st.recursive(st.none() | st.integers() | st.text(max_size=4),
                           lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=3), x, max_size=3))  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.text(max_size=3), json_values, max_size=4), st.dictionaries(st.text(max_size=3), json_values))
def test_equal_values_have_no_differences_and_others_some(a, b):
    assert (list_differences({"k": a}, {"k": b}) == []) == (a == b)
