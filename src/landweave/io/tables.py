"""Sample tables on disk: GeoParquet that any reader opens, with legend, inputs and design in the schema's metadata.

Rows that could not be used stand beside it in `<stem>.rejected.csv`.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from landweave.errors import SampleError, SourceError
from landweave.io.files import atomic_path, write_text
from landweave.legend import Legend
from landweave.types import SAMPLE_COLUMNS, Design, ModelInput, SampleTable

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["is_sample_table", "read_samples", "rejected_path", "write_samples"]

_KEY = b"landweave"
_SCHEMA_VERSION = 1


def rejected_path(path: Path | str) -> Path:
    """Give the place of the rejected rows of a sample table."""
    at = Path(path)
    return at.with_name(f"{at.stem}.rejected.csv")


def write_samples(samples: SampleTable, path: Path | str) -> Path:
    """Write a sample table as GeoParquet, atomically, and its rejected rows beside it.

    Args:
        samples: The table.
        path: Where to; ends in `.parquet`.

    Returns:
        The path.

    Raises:
        DiskFullError: If the disk fills while writing.
    """
    import pyarrow.parquet as pq

    at = Path(path)
    buffer = io.BytesIO()
    samples.frame.to_parquet(buffer, index=False)
    table = pq.read_table(buffer)
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), _KEY: json.dumps(_describe(samples)).encode()})
    with atomic_path(at) as part:
        pq.write_table(table, part, compression="zstd")
    beside = rejected_path(at)
    if samples.rejected is not None and len(samples.rejected):
        write_text(beside, samples.rejected.to_csv(index=False, lineterminator="\n"))
    else:
        beside.unlink(missing_ok=True)  # of an earlier run
    return at


def is_sample_table(path: Path | str) -> bool:
    """Tell whether a parquet file is a sample table of Landweave."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return _KEY in (pq.read_schema(path).metadata or {})
    except (pa.ArrowInvalid, OSError):
        return False


def read_samples(path: Path | str) -> SampleTable:
    """Read a sample table that `write_samples` wrote.

    Raises:
        SourceError: If the file is missing, truncated or not parquet.
        SampleError: If it is another parquet file, without legend and inputs, or lacks columns.
    """
    import geopandas as gpd
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    at = Path(path)
    if not at.exists():
        raise SourceError(f"file {at} does not exist")
    try:
        schema: pa.Schema = pq.read_schema(at)
        frame = gpd.read_parquet(at)
    except (pa.ArrowInvalid, OSError) as err:
        raise SourceError(f"{at} is not a parquet file (truncated? another kind of file?): {err}") from err
    except ValueError as err:  # geopandas says so of a parquet file without geo metadata
        raise SampleError(_not_ours(at)) from err
    described = _metadata(schema, at)
    inputs = tuple(ModelInput.model_validate(i) for i in described["inputs"])
    beside = rejected_path(at)
    rejected = pd.read_csv(beside, dtype={"class": str, "reason": str}) if beside.exists() else None
    design = Design.model_validate(described["design"])
    samples = SampleTable(frame, Legend.from_dicts(described["legend"]), inputs, design, rejected)
    missing = [c for c in (*SAMPLE_COLUMNS, *samples.feature_names) if c not in frame.columns]
    if missing:
        raise SampleError(f"{at} lacks the columns {', '.join(missing[:5])}; it was changed by another program: write it anew "
                          "with `landweave samples`")  # fmt: skip
    return samples


def _describe(samples: SampleTable) -> dict[str, Any]:
    from importlib.metadata import version

    return {
        "schema_version": _SCHEMA_VERSION, "version": version("landweave"), "legend": samples.legend.to_dicts(),
        "inputs": [i.model_dump(mode="json") for i in samples.inputs], "design": samples.design.model_dump(mode="json"),
    }  # fmt: skip


def _metadata(schema: pa.Schema, path: Path) -> dict[str, Any]:
    raw = (schema.metadata or {}).get(_KEY)
    if raw is None:
        raise SampleError(_not_ours(path))
    described: dict[str, Any] = json.loads(raw)
    if described.get("schema_version") != _SCHEMA_VERSION:
        raise SampleError(f"{path} has the schema version {described.get('schema_version')}, this version of Landweave reads "
                          f"{_SCHEMA_VERSION}; write it anew with `landweave samples`")  # fmt: skip
    return described


def _not_ours(path: Path) -> str:
    return (f"{path} is not a sample table of Landweave (no legend and inputs in its metadata); import it with reference: "
            "(places) or series: (extracted series) in the samples part of a recipe")  # fmt: skip
