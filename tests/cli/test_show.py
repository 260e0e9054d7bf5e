"""Tables, lines and progress as they are printed."""

from __future__ import annotations

import pytest
from rich.console import Console

from landweave.cli import show
from landweave.types import ProgressEvent


def test_a_table_shows_title_cells_and_note(capsys):
    show.print_table("Areas", ("class", "ha"), [("crop [dry]", 1.5), ("none", None)], right=(1,), note="Mapped.")
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == "Areas"
    assert lines[2].split() == ["crop", "[dry]", "1.5"]
    assert "Mapped." in lines


def test_markup_in_a_users_text_is_no_markup(capsys):
    show.print_line("a [bold]b[/bold] [x]")
    show.print_error("path [red] is missing\nsecond line")
    captured = capsys.readouterr()
    assert captured.out == "a [bold]b[/bold] [x]\n"
    assert captured.err == "error: path [red] is missing\n       second line\n"


def test_long_messages_are_not_broken_into_lines(capsys):
    show.print_error("x" * 300)
    show.print_warning("y" * 300)
    assert capsys.readouterr().err.splitlines() == [f"error: {'x' * 300}", f"warning: {'y' * 300}"]


def test_without_a_terminal_each_stage_is_one_line(capsys):
    with show.progress_bars() as progress:
        for done in range(1, 4):
            progress(ProgressEvent("map", done, 3, "blocks"))
        progress(ProgressEvent("map", 3, 3, "blocks"))
    assert capsys.readouterr().err == "map: 3 blocks done\n"


def test_on_a_terminal_bars_show_count_rate_and_memory(monkeypatch):
    console = Console(force_terminal=True, width=150, record=True)
    monkeypatch.setattr(show, "err", console)
    with show.progress_bars() as progress:
        progress(ProgressEvent("map", 1, 4, "blocks"))
        progress(ProgressEvent("map", 4, 4, "blocks"))
    text = console.export_text()
    assert "4/4 blocks" in text
    assert "MiB" in text
    assert "blocks/s" in text


@pytest.mark.parametrize("value", ["[/]", "a\\[b]", "[link=x]"])
def test_awkward_titles_and_cells_do_not_break_a_table(capsys, value):
    show.print_table("t", ("a",), [(value,)])
    assert value.replace("\\", "") in capsys.readouterr().out.replace("\\", "")
