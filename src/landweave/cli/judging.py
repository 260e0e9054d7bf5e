"""The three ways of `landweave assess`: a recipe's run, any map with any reference, published counts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from landweave.assess import Assessment, AssessOptions, assess_counts, assess_map, write_assessment
from landweave.errors import AssessmentError
from landweave.io.tables import is_sample_table, read_samples
from landweave.maps import open_map
from landweave.samples import SampleOptions, import_reference

if TYPE_CHECKING:
    from landweave.recipe import Job


def judge_counts(
    matrix: Path, pixel_area_m2: float | None, out: Path | None, interval: str | None = None
) -> Assessment:
    """Judge from published counts; writes assessment.json where `out` is given.

    Raises:
        AssessmentError: If the area of a pixel is not given, or there is no such interval.
    """
    if pixel_area_m2 is None:
        raise AssessmentError("--matrix needs --pixel-area-m2, the area of one mapped pixel (900 for 30 m pixels)")
    return _written(assess_counts(matrix, pixel_area_m2=pixel_area_m2, options=_options(interval)), out)


def _options(interval: str | None) -> AssessOptions:
    """Give the options with one kind of interval for accuracies and areas."""
    if interval is None:
        return AssessOptions()
    try:
        return AssessOptions.model_validate({"interval": interval, "area_interval": interval})
    except ValidationError as err:
        raise AssessmentError(f"no interval is named {interval!r}: {err.errors()[0]['msg']}") from err


def judge_map(
    map_path: Path, reference: Path | None, class_column: str | None, out: Path | None, interval: str | None = None
) -> Assessment:
    """Judge any classified map on a file of reference places.

    A sample that Landweave drew (`landweave design`, `landweave answers`) keeps its design; any other file is taken as having
    no probability design.

    Raises:
        AssessmentError: If no reference is given.
    """
    if reference is None:
        raise AssessmentError("--map needs --reference, a file of places with a class column")
    product = open_map(map_path)
    if reference.suffix == ".parquet" and is_sample_table(reference):
        return _written(assess_map(product, read_samples(reference), title=map_path.name, options=_options(interval)), out)
    options = SampleOptions(reference=str(reference), class_column=class_column, purpose="reference")
    places = import_reference(options, legend=product.legend, geobox=product.geobox)
    return _written(assess_map(product, places, title=map_path.name, options=_options(interval)), out)


def judge_run(job: Job) -> Assessment:
    """Judge the map of a recipe's run again."""
    from landweave.recipe.run import make_assessment, open_products

    return make_assessment(job, open_products(job))


def _written(assessment: Assessment, out: Path | None) -> Assessment:
    if out is not None:
        write_assessment(assessment, out if out.suffix == ".json" else out / "assessment.json")
    return assessment
