"""Rows of a sample table: the shared schema filled in, and the list of rows that could not be used."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from landweave.types import SAMPLE_COLUMNS, SampleTable

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

REJECTED_COLUMNS = ("sample_id", "class", "reason", "lon", "lat")


def make_frame(columns: dict[str, Any], geometry: Any, crs: Any) -> gpd.GeoDataFrame:
    """Fill the schema's columns with what is known and the stated defaults for the rest, in the schema's order and types."""
    import geopandas as gpd
    import pandas as pd

    n = len(geometry)
    unknown = set(columns) - set(SAMPLE_COLUMNS)
    if unknown:
        raise KeyError(f"not in the schema of samples: {sorted(unknown)}")
    defaults: dict[str, Any] = {
        "sample_id": np.arange(n), "class": "", "time_start": np.datetime64("NaT", "ms"),
        "time_end": np.datetime64("NaT", "ms"), "group": np.arange(n).astype(str), "stratum": None, "psu": None,
        "inclusion_probability": np.nan, "purpose": "train", "weight": 1.0, "labeller": None, "sub_pixel": False,
        "polygon_id": -1,
    }  # fmt: skip
    types = {
        "sample_id": "int64", "time_start": "datetime64[ms]", "time_end": "datetime64[ms]", "inclusion_probability": "float64",
        "weight": "float64", "sub_pixel": "bool", "polygon_id": "int64",
    }  # fmt: skip
    made = {}
    for name in SAMPLE_COLUMNS:
        value = columns.get(name, defaults[name])
        value = np.broadcast_to(np.asarray(value), n) if np.ndim(value) == 0 else np.asarray(value)
        made[name] = pd.Series(value.astype(types[name])) if name in types else to_text(value)
    return gpd.GeoDataFrame(made, geometry=gpd.GeoSeries(np.asarray(geometry, dtype=object), crs=crs))


def to_text(values: Any) -> pd.Series[Any]:
    """Give values as a text column in which what is missing stays missing."""
    import pandas as pd

    items = [None if v is None or pd.isna(v) else str(v) for v in values]
    text = pd.Series(items, dtype=object)
    is_new = int(pd.__version__.split(".")[0]) >= 3
    return cast("pd.Series[Any]", text.astype("str")) if is_new else text  # pandas 2 would write "None"


def lonlat_of(frame: gpd.GeoDataFrame) -> NDArray[np.float64]:
    """Give longitude and latitude (n, 2) on WGS84 in degrees."""
    points = frame.geometry if frame.crs is None else frame.geometry.to_crs("EPSG:4326")
    return np.column_stack([points.x.to_numpy(dtype=float), points.y.to_numpy(dtype=float)]).reshape(-1, 2)


def is_open(reasons: NDArray[Any]) -> NDArray[np.bool_]:
    """Tell which rows have no reason to be rejected so far."""
    return np.array([r is None for r in reasons], dtype=bool)


def list_rejected(frame: gpd.GeoDataFrame, reason: str | NDArray[Any]) -> pd.DataFrame:
    """List rows as rejected, for one reason or one each."""
    import pandas as pd

    at = lonlat_of(frame)
    return pd.DataFrame({
        "sample_id": frame["sample_id"].to_numpy(dtype=np.int64), "class": to_text(frame["class"]),
        "reason": to_text(np.broadcast_to(np.asarray(reason, dtype=object), len(frame))), "lon": at[:, 0], "lat": at[:, 1],
    })  # fmt: skip


def join_rejected(*parts: pd.DataFrame | None) -> pd.DataFrame | None:
    """Put lists of rejected rows together, in order of `sample_id`; None where there is none."""
    import pandas as pd

    filled = [p for p in parts if p is not None and len(p)]
    if not filled:
        return None
    return pd.concat(filled, ignore_index=True).sort_values("sample_id", kind="stable", ignore_index=True)


def set_aside(samples: SampleTable, rows: NDArray[np.bool_], reason: str) -> SampleTable:
    """Move the rows of a mask to the rejected ones, with the reason."""
    rejected = join_rejected(samples.rejected, list_rejected(samples.frame[rows], reason))
    return replace(samples.select(~rows), rejected=rejected)


def count_reasons(rejected: pd.DataFrame | None) -> dict[str, int]:
    """Count the rejected rows by reason, most frequent first."""
    if rejected is None:
        return {}
    return {str(k): int(v) for k, v in rejected["reason"].value_counts(sort=True).items()}
