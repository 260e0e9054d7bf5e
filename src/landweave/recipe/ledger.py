"""What a run has done so far: which stages are finished with the same inputs and options, and which belong to another run.

Receives the keys that identify a stage's work; hands on "keep it", "do it", or an error that names what differs. Lives in the
output folder's `lineage.json`.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import landweave
from landweave.errors import OutputExistsError
from landweave.io.files import sha256_json
from landweave.io.lineage import Lineage, StageRecord, host_name, read_lineage, record_file, utc_now, write_lineage

__all__ = ["Ledger", "list_differences"]

_ABSENT = "absent"


class Ledger:
    """The stages of one output folder.

    Args:
        folder: The output folder.
        recipe: The resolved recipe, for `landweave rerun`.
        command: What was asked for, for people.
        overwrite: Whether stages of another run are replaced and finished ones are done again.
    """

    def __init__(self, folder: Path, *, recipe: dict[str, Any] | None, command: str, overwrite: bool) -> None:
        self.folder = folder
        self._overwrite = overwrite
        self._recipe, self._command = recipe, command
        self._redone: set[str] = set()

    def read(self) -> Lineage:
        """Give the folder's lineage, or a new one."""
        if (self.folder / "lineage.json").exists():
            return read_lineage(self.folder)
        return Lineage()

    def find(self, name: str) -> StageRecord | None:
        """Give the record of a finished stage."""
        return self.read().find_stage(name)

    def is_finished(self, name: str, keys: dict[str, Any], outputs: list[str]) -> bool:
        """Tell whether a stage was done with the same keys and its outputs are all there.

        Raises:
            OutputExistsError: If its outputs come from other keys, or from no run at all; names the first that differ.
        """
        present = [o for o in outputs if (self.folder / o).exists()]
        if self._overwrite and name not in self._redone:
            self._redone.add(name)
            for output in present:
                _remove(self.folder / output)
            return False
        if not present:
            return False
        record = self.find(name)
        if record is None:
            raise OutputExistsError(f"{self.folder / present[0]} exists and no run of landweave is known to have written it; "
                                    "--overwrite replaces it, or choose another --out")  # fmt: skip
        if record.fingerprint != sha256_json(self._keys(keys)):
            differences = list_differences(record.keys, self._keys(keys))
            raise OutputExistsError(f"{self.folder} holds the {name} of another run: {'; '.join(differences[:3])}; "
                                    "--overwrite starts anew, or choose another --out")  # fmt: skip
        return len(present) == len(outputs)

    @contextmanager
    def record(self, name: str, keys: dict[str, Any], outputs: list[str], **known: Any) -> Iterator[dict[str, Any]]:
        """Time a stage and, if it ends well, write its record; the body may add `results` and `notes` to what is yielded."""
        started, clock = utc_now(), time.perf_counter()
        more: dict[str, Any] = dict(known)
        yield more
        identity = self._keys(keys)
        files = tuple(record_file(self.folder / o, relative_to=self.folder) for o in outputs if (self.folder / o).exists())
        stage = StageRecord(
            name=name, outputs=files, fingerprint=sha256_json(identity), keys=identity, started=started,
            seconds=round(time.perf_counter() - clock, 3), host=host_name(), **more,
        )  # fmt: skip
        lineage = self.read().with_stage(stage)
        write_lineage(lineage.model_copy(update={"recipe": self._recipe, "command": self._command}), self.folder)

    def refresh_output(self, name: str, output: str) -> None:
        """Record an output of a finished stage anew, after a later stage has added to it."""
        lineage = self.read()
        stage = lineage.find_stage(name)
        if stage is None:
            return
        now = record_file(self.folder / output, relative_to=self.folder)
        outputs = tuple(now if f.path == output else f for f in stage.outputs)
        write_lineage(lineage.with_stage(stage.model_copy(update={"outputs": outputs})), self.folder)

    def _keys(self, keys: dict[str, Any]) -> dict[str, Any]:
        return {**keys, "landweave": landweave.__version__}


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def list_differences(old: Any, new: Any, at: str = "") -> list[str]:
    """List where two JSON values differ, as "model.params.C was 1, is 10"."""
    if isinstance(old, dict) and isinstance(new, dict):
        every = (*new, *(k for k in old if k not in new))
        pairs = [(k, old.get(k, _ABSENT), new.get(k, _ABSENT)) for k in every]
        return [line for k, a, b in pairs if a != b for line in list_differences(a, b, f"{at}.{k}" if at else str(k))]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new) and old:
        return [line for i, (a, b) in enumerate(zip(old, new, strict=True)) if a != b
                for line in list_differences(a, b, f"{at}[{i}]")]  # fmt: skip
    return [f"{at} was {_shown(old)}, is {_shown(new)}"]


def _shown(value: Any) -> str:
    text = "not set" if value is None else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
