"""The command line's manners: help that teaches, exit codes, one clear line for a mistake, a traceback on request only."""

from __future__ import annotations

import pytest

import landweave
from landweave.cli import app as app_module
from landweave.errors import BlocksFailedError, SampleError

COMMANDS = ("simulate", "plan", "run", "cube", "samples", "train", "predict", "assess", "report", "rerun", "sensors", "models",
            "nomenclatures", "schema")  # fmt: skip


def test_version_is_printed(cli):
    assert cli("--version") == (0, f"landweave {landweave.__version__}")


def test_help_lists_every_command(cli):
    code, text = cli("--help")
    assert code == 0
    assert [c for c in COMMANDS if c not in text] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_a_sentence(cli, command):
    code, text = cli(command, "--help")
    assert code == 0
    assert f"Usage: landweave {command}" in text.replace("root", "landweave") or command in text
    assert len(text) > 150


def test_no_command_shows_the_help(cli):
    code, text = cli()
    assert "Usage" in text
    assert code in (0, 2)


@pytest.mark.parametrize(("args", "told"), [
    (("rnu", "x"), "No such command 'rnu'"), (("run",), "Missing argument 'RECIPE'"),
    (("run", "r.yaml"), "Missing option '--out'"),
    (("simulate", "x", "--size", "3"), "--size"), (("plan", "r.yaml", "--workers", "none"), "--workers"),
])  # fmt: skip
def test_wrong_usage_names_what_is_wrong(cli, args, told):
    code, text = cli(*args)
    assert code == 2
    assert told in text
    assert "bug" not in text


def break_plan(monkeypatch, error):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr("landweave.recipe.read_recipe", fail)


@pytest.mark.parametrize(("error", "code", "told"), [
    (SampleError("no crs; state crs"), 2, "error: no crs; state crs"),
    (BlocksFailedError("2 blocks failed"), 3, "error: 2 blocks failed"),
    (KeyboardInterrupt(), 130, "error: interrupted"),
    (ZeroDivisionError("division by zero"), 1, "ZeroDivisionError: division by zero this looks like a bug in landweave"),
])  # fmt: skip
def test_errors_become_one_message_and_an_exit_code(cli, monkeypatch, error, code, told):
    break_plan(monkeypatch, error)
    assert cli("plan", "r.yaml")[0] == code
    break_plan(monkeypatch, error)
    text = cli("plan", "r.yaml")[1]
    assert told in text
    assert "Traceback" not in text


def test_debug_shows_the_traceback(cli, monkeypatch):
    break_plan(monkeypatch, SampleError("no crs"))
    with pytest.raises(SampleError, match="no crs"):
        cli("--debug", "plan", "r.yaml")
    assert cli("plan", "r.yaml")[0] == 2  # debug ends with its command


def test_main_exits_with_the_code(monkeypatch):
    monkeypatch.setattr(app_module, "run", lambda args: 3)
    with pytest.raises(SystemExit, match="3"):
        app_module.main(["plan"])


def test_a_mistake_in_the_recipe_names_key_and_line(cli, job):
    path = job.folder / "recipe.yaml"
    path.write_text(path.read_text() + "modle: {}\n")
    code, text = cli("plan", path)
    assert code == 2
    assert "unknown key 'modle'; did you mean 'model'?" in text
    assert f"line {len(path.read_text().splitlines())}" in text
