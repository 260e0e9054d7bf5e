"""What an output folder holds already: this very map, an unfinished one, or the result of another run.

Receives a folder and the keys of a run; hands on "finished", "go on", or an error that names what differs.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from landweave.errors import OutputExistsError
from landweave.io.files import read_json, sha256_file
from landweave.io.lineage import StageRecord, read_lineage
from landweave.maps.identity import find_differences, fingerprint_of
from landweave.maps.products import FILE_NAMES
from landweave.maps.store import list_works

__all__ = ["STAGE", "check_unchanged", "is_finished", "remove_products", "work_folder"]

STAGE = "map"
"""Name of the map's record in lineage.json."""


def work_folder(folder: Path, keys: Mapping[str, Any]) -> Path:
    """Give the folder of a run's block store."""
    return folder / ".work" / fingerprint_of(keys)


def is_finished(folder: Path, keys: Mapping[str, Any]) -> bool:
    """Tell whether a folder holds the finished map of these keys; False where it is to be begun or taken up.

    Raises:
        OutputExistsError: If the folder holds anything else, or the map was changed since.
    """
    if (work_folder(folder, keys) / "run.json").is_file():
        return False
    outdated = set()
    for work in list_works(folder):
        state = read_json(work / "run.json")
        if not _repaired(state, keys):
            _refuse(folder, "the unfinished map of another run", state["keys"], keys)
        shutil.rmtree(work)
        outdated.add(fingerprint_of(state["keys"]))
    record = read_lineage(folder).find_stage(STAGE) if (folder / "lineage.json").is_file() else None
    if not (folder / FILE_NAMES["map"]).exists():
        return False
    if record is None:
        raise OutputExistsError(errno.EEXIST, f"{folder} holds {FILE_NAMES['map']} but no lineage.json that says where it "
                                              "comes from; choose another --out, or --overwrite")  # fmt: skip
    if record.fingerprint in outdated:  # a map with holes, from before the input was repaired
        return False
    if record.fingerprint != fingerprint_of(keys):
        _refuse(folder, "the map of another run", record.keys, keys)
    check_unchanged(folder, record)
    return True


def _repaired(state: Mapping[str, Any], keys: Mapping[str, Any]) -> bool:
    """Tell whether a store differs from a run only in input files that had failed in it.

    Such a store is dropped without asking: its run could not finish, and its blocks saw another version of the file.
    """
    failed = " ".join(state.get("failed", ()))
    old, new = state["keys"], keys
    if {k: v for k, v in old.items() if k != "inputs"} != {k: v for k, v in new.items() if k != "inputs"}:
        return False
    changed = [p for p in {*old["inputs"], *new["inputs"]} if old["inputs"].get(p) != new["inputs"].get(p)]
    return all(path in failed for path in changed)


def check_unchanged(folder: Path, record: StageRecord) -> None:
    """Check that a map's rasters are those that its record states.

    Raises:
        OutputExistsError: If one was changed or is gone.
    """
    for output in record.outputs:
        at = folder / output.path
        if not at.exists() or (output.path.endswith(".tif") and sha256_file(at) != output.sha256):
            what = "changed since it was written" if at.exists() else "gone"
            raise OutputExistsError(errno.EEXIST, f"{at} is {what}; use --overwrite to make the map again, or choose another "
                                                  "--out")  # fmt: skip


def _refuse(folder: Path, what: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    differences = find_differences(old, new)
    raise OutputExistsError(errno.EEXIST, f"{folder} holds {what}; it differs in {'; '.join(differences[:3])}. Choose another "
                                          "--out, or --overwrite to start anew")  # fmt: skip


def remove_products(folder: Path) -> None:
    """Remove the products and stores of whatever run was here, so that nothing old looks like the new run's result."""
    shutil.rmtree(folder / ".work", ignore_errors=True)
    for name in FILE_NAMES.values():
        (folder / name).unlink(missing_ok=True)
        for part in folder.glob(f"{name}.part*"):  # what a kill left, GDAL's temporary overviews included
            part.unlink()
