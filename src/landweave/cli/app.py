"""The entry point: one clear line for a user's mistake, a traceback only with `--debug`, exit codes that scripts can read."""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer

import landweave
from landweave.cli import (
    areas,
    consensus,
    coverage,
    designing,
    detail,
    distilling,
    ensembles,
    explaining,
    grids,
    indexing,
    labelling,
    learning,
    listing,
    networks,
    producing,
    refining,
    relabelling,
    robustness,
    scenes,
    scoring,
    stages,
    tuning,
)
from landweave.cli.show import WarningHandler, forget_warnings, print_error, print_line
from landweave.errors import LandweaveError

app = typer.Typer(
    name="landweave",
    help="Land-cover maps that can be trusted: from imagery of any sensor to a judged map.\n\n"
    "Start with `landweave simulate land/` and `landweave run land/recipe.yaml --out out/`; then write a recipe of your own "
    "(`landweave schema` gives its JSON schema) and look at `landweave plan RECIPE` before you run it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
stages.register(app)
coverage.register(app)
detail.register(app)
grids.register(app)
indexing.register(app)
consensus.register(app)
areas.register(app)
designing.register(app)
explaining.register(app)
refining.register(app)
networks.register(app)
scenes.register(app)
distilling.register(app)
producing.register(app)
robustness.register(app)
scoring.register(app)
ensembles.register(app)
labelling.register(app)
learning.register(app)
tuning.register(app)
relabelling.register(app)
listing.register(app)

_debug = False


def _show_version(value: bool) -> None:
    if value:
        print_line(f"landweave {landweave.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error, and debug messages.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    global _debug
    _debug = debug
    if debug:
        logging.basicConfig(level=logging.DEBUG, format="%(levelname)s %(name)s: %(message)s")
    else:
        logging.basicConfig(level=logging.WARNING, handlers=[WarningHandler()])
    logging.getLogger("rasterio").setLevel(logging.ERROR)  # its errors reach the user as ours, with the file named


INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it (128 + SIGINT)."""


def _interrupted() -> int:
    print_error("interrupted; nothing unfinished was left under its final name, and the same command goes on where it stopped")
    return INTERRUPTED


def main(args: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 2 a user's mistake, 3 some blocks failed, 130 interrupted, 1 a bug of ours."""
    sys.exit(run(args))


def run(args: list[str] | None = None) -> int:
    """Run the command line and give the exit code."""
    forget_warnings()
    try:
        result = app(args=args, standalone_mode=False)
        code = result if isinstance(result, int) else 0
        return _interrupted() if code == INTERRUPTED else code
    except LandweaveError as err:
        if _debug:
            raise
        print_error(str(err))
        return err.exit_code
    except (typer.Abort, KeyboardInterrupt):
        return _interrupted()
    except typer.Exit as exit_:  # what typer makes of Ctrl-C, too
        return _interrupted() if exit_.exit_code == INTERRUPTED else int(exit_.exit_code)
    except Exception as err:
        if _debug:
            raise
        if hasattr(err, "show") and hasattr(err, "exit_code"):  # click's usage errors format themselves
            err.show()
            return int(err.exit_code)
        print_error(f"{type(err).__name__}: {err}\nthis looks like a bug in landweave; run again with `landweave --debug ...` "
                    "for the traceback and report it")  # fmt: skip
        return 1
