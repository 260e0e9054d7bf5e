"""Every Python block of the documentation and the README runs, page by page, or says why not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"]
_BLOCK = re.compile(r"^```python[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_NOT_RUN = re.compile(r"^# not run: (.*)")


def find_blocks(page: Path) -> list[tuple[int, str]]:
    """Line and source of each block."""
    text = page.read_text(encoding="utf-8")
    return [(text.count("\n", 0, match.start(1)) + 1, match.group(1)) for match in _BLOCK.finditer(text)]


WITH_CODE = [page for page in PAGES if page.exists() and find_blocks(page)]


@pytest.mark.parametrize("page", WITH_CODE, ids=lambda p: p.name)
def test_blocks_run_in_the_order_of_the_page(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "__main__"}
    for line, source in find_blocks(page):
        if _NOT_RUN.match(source):
            continue
        # leading newlines make tracebacks point at the line of the page
        exec(compile("\n" * (line - 1) + source, str(page), "exec"), names)


@pytest.mark.parametrize("page", WITH_CODE, ids=lambda p: p.name)
def test_blocks_that_do_not_run_state_a_reason(page: Path) -> None:
    reasons = [match.group(1) for _, source in find_blocks(page) if (match := _NOT_RUN.match(source))]
    assert all(len(reason) > 10 for reason in reasons)


def test_pages_with_code_are_found() -> None:
    assert {"make-a-map.md", "judge-a-map.md", "add-a-sensor.md"} <= {page.name for page in WITH_CODE}
