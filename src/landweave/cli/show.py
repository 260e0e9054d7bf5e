"""What the command line prints: progress bars with rate, time left and memory; summary tables; one-line errors."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psutil
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from landweave.types import ProgressEvent

_PIPE_COLUMNS = 160
"""Width of tables that go to a file or a pipe, where rich would fold them at 80 columns."""


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr, highlight=False)
    return console if console.is_terminal else Console(stderr=stderr, highlight=False, width=_PIPE_COLUMNS)


out = _console(stderr=False)
err = _console(stderr=True)


class _Rate(ProgressColumn):
    """Units per second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.1f} {task.fields.get('unit', '')}/s", style="progress.data.speed")


class _Memory(ProgressColumn):
    """Memory this process holds now."""

    max_refresh = 0.5

    def __init__(self) -> None:
        super().__init__()
        self._process = psutil.Process()

    def render(self, task: Task) -> Text:
        return Text(f"{self._process.memory_info().rss / 2**20:,.0f} MiB", style="dim")


class ProgressBars:
    """Draws one bar per stage from `ProgressEvent`s; silent where the output is no terminal, but for a line per stage."""

    def __init__(self, bars: Progress | None) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, event: ProgressEvent) -> None:
        """Take an event."""
        if self._bars is None:
            if event.done >= event.total and event.stage not in self._tasks:
                self._tasks[event.stage] = TaskID(0)
                err.print(f"{escape(event.stage)}: {event.total:,.0f} {event.unit} done")
            return
        if event.stage not in self._tasks:
            self._tasks[event.stage] = self._bars.add_task(escape(event.stage), total=event.total, unit=event.unit)
        self._bars.update(self._tasks[event.stage], completed=event.done, total=event.total)


@contextmanager
def progress_bars() -> Iterator[ProgressBars]:
    """Show progress on stderr while the body runs."""
    if not err.is_terminal:
        yield ProgressBars(None)
        return
    columns = (
        TextColumn("{task.description:<12}"), BarColumn(),
        TextColumn("{task.completed:,.0f}/{task.total:,.0f} {task.fields[unit]}"), _Rate(),
        TimeElapsedColumn(), TimeRemainingColumn(), _Memory(),
    )  # fmt: skip
    with Progress(*columns, console=err, transient=False) as bars:
        yield ProgressBars(bars)


def print_table(
    title: str, header: Sequence[str], rows: Sequence[Sequence[object]], *, right: Sequence[int] = (), note: str = ""
) -> None:
    """Print a table; `right` lists the columns of numbers, `note` is a sentence below it."""
    table = Table(title=title or None, title_justify="left", title_style="bold", header_style="bold", box=None, pad_edge=False)
    for i, name in enumerate(header):
        table.add_column(escape(name), justify="right" if i in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(escape("" if v is None else str(v)) for v in row))
    out.print(table)
    if note:
        out.print(Text(note, style="dim"))
    out.print()


def print_line(text: str) -> None:
    """Print one line as it is."""
    out.print(escape(text), soft_wrap=True)


def print_error(message: str) -> None:
    """Print an error on stderr."""
    for i, line in enumerate(message.splitlines() or [""]):
        err.print(f"[bold red]error:[/] {escape(line)}" if i == 0 else f"       {escape(line)}", soft_wrap=True)


_warned: set[str] = set()


def forget_warnings() -> None:
    """Begin a new command, whose warnings are all new."""
    _warned.clear()


def print_warning(message: str) -> None:
    """Print a warning on stderr, once however often it is told in a command."""
    if message in _warned:
        return
    _warned.add(message)
    err.print(f"[bold yellow]warning:[/] {escape(message)}", soft_wrap=True)


class WarningHandler(logging.Handler):
    """Shows what the library logs as the warnings of the command line, at once."""

    def emit(self, record: logging.LogRecord) -> None:
        """Show a record."""
        print_warning(record.getMessage())
