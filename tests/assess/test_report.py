"""The report: complete, self-contained, escaped, small."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
from affine import Affine

from landweave.assess.document import (
    Assessment,
    Baseline,
    Check,
    ClassAccuracy,
    ClassArea,
    ClassScore,
    CrossValidationScores,
    CrossValidationSummary,
    DesignSummary,
    Estimate,
    Intervals,
    MatrixTable,
)
from landweave.assess.report import CheckedSamples, write_report
from landweave.errors import SourceError
from landweave.grid import GeoBox, make_geobox, pixel_area_m2
from landweave.legend import LandClass, Legend
from landweave.types import MapProduct, ModelCard, ModelInput, SampleTable

EVIL = "<script>alert('x')</script>"
LEGEND = Legend((LandClass(1, "Forest", "#1b7837"), LandClass(2, EVIL, "#fee08b"), LandClass(3, "Water", "#2166ac")))
INPUT = ModelInput(bands=("ndvi", "evi"), kinds=("index", "index"), n_steps=3, dates=("2020-01-15", "2020-05-15", "2020-09-15"))


def scores(accuracy: float, one_block: list[str]) -> CrossValidationScores:
    return CrossValidationScores(
        overall_accuracy=accuracy,
        overall_accuracy_se=0.02,
        macro_f1=accuracy - 0.1,
        macro_f1_se=0.03,
        n_folds=5,
        n_repeats=2,
        overall_accuracy_learnable=0.937 if one_block else None,
        macro_f1_learnable=0.8 if one_block else None,
        n_samples=300,
        n_tested=290,
        block_size_m=25_000,
        classes_in_one_block=one_block,
        classes=[ClassScore(name="Forest", n=100, n_blocks=1, f1=0.5, is_learnable="Forest" not in one_block)],
    )


@pytest.fixture(scope="module")
def assessment() -> Assessment:
    one = Estimate(value=0.876, se=0.019, lower=0.839, upper=0.913, n=300)
    names, codes = list(LEGEND.names), list(LEGEND.codes)
    return Assessment(
        title="A <b>bold</b> title",
        basis="reference-sample",
        overall_accuracy=one,
        macro_f1=one,
        n_samples=300,
        n_used=300,
        design=DesignSummary(kind="stratified", estimator="stratified"),
        intervals=Intervals(method="normal"),
        error_matrix=MatrixTable(
            counts=[[44, 5, 1], [4, 60, 2], [0, 3, 181]],
            row_codes=codes,
            row_names=names,
            column_codes=codes,
            proportions=[[0.1, 0.01, 0.0], [0.02, 0.4, 0.01], [0.0, 0.05, 0.41]],
            column_names=names,
        ),
        classes=[ClassAccuracy(code=c.code, name=c.name, users=one, producers=one, f1=one, iou=one) for c in LEGEND],
        areas=[
            ClassArea(
                code=c.code,
                name=c.name,
                mapped_ha=20_000.0 * c.code,
                mapped_share=0.2,
                area_ha=21_158.4 * c.code,
                se_ha=3142,
                ci95_ha=6158.2,
                lower_ha=15_000.2 * c.code,
                upper_ha=27_316.6 * c.code,
            )
            for c in LEGEND
        ],
        total_area_ha=120_000.0,
        baselines={"majority": Baseline(overall_accuracy=0.195, macro_f1=0.04)},
        cross_validation=CrossValidationSummary(random=scores(0.962, []), spatial=scores(0.834, ["Forest"])),
        checks=[Check(name="independent", passed=True, message="No reference row trained the model.")],
    )


@pytest.fixture(scope="module")
def samples() -> SampleTable:
    n, rng = 60, np.random.default_rng(1)
    data: dict[str, Any] = {"sample_id": range(n), "class": rng.choice(LEGEND.names, n), "group": "g", "purpose": "train"}
    data.update({name: rng.random(n, dtype=np.float32) for name in INPUT.feature_names})
    frame = gpd.GeoDataFrame(data, geometry=gpd.points_from_xy(rng.uniform(15, 16, n), rng.uniform(45, 46, n)), crs="EPSG:4326")
    rejected = pd.DataFrame(
        {"sample_id": [1, 2], "class": ["Water", EVIL], "reason": "outside <the> cube", "lon": 0.0, "lat": 0.0}
    )
    return SampleTable(frame, LEGEND, (INPUT,), rejected=rejected)


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> MapProduct:
    folder, rng = tmp_path_factory.mktemp("map"), np.random.default_rng(2)
    geobox = make_geobox((500_000, 5_000_000, 506_000, 5_004_000), "EPSG:32633", 10)
    codes = rng.choice(np.array([1, 2, 3, 254, 255], dtype=np.uint8), tuple(geobox.shape))
    write_raster(folder / "map.tif", geobox, codes[None])
    write_raster(folder / "uncertainty.tif", geobox, rng.integers(0, 251, (2, *geobox.shape)).astype(np.uint8), scale=0.004)
    pixel_ha = pixel_area_m2(geobox) / 1e4
    count = {int(c): int((codes == c).sum()) for c in np.unique(codes)}
    area = {c: float(pixel_ha[codes == c].sum()) for c in count}
    files = {"map": folder / "map.tif", "uncertainty": folder / "uncertainty.tif"}
    return MapProduct(folder, files, LEGEND, geobox, "c0ffee", count, area)


def write_raster(path: Path, geobox: GeoBox, data: np.ndarray, scale: float = 1.0) -> None:
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=len(data),
        dtype="uint8",
        height=data.shape[1],
        width=data.shape[2],
        crs=geobox.crs.to_wkt(),
        transform=Affine(*geobox.affine[:6]),
        nodata=255,
    ) as out:
        out.write(data)
        out.scales = [scale] * len(data)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory, assessment: Assessment, samples: SampleTable, product: MapProduct) -> str:
    card = ModelCard(
        model="random-forest",
        inputs=(INPUT,),
        classes=LEGEND.to_dicts(),
        footprint=(15, 45, 16, 46),
        licence="CC-BY-4.0",
        params={"n_estimators": 100, "note": EVIL},
    )
    check = SimpleNamespace(checks=[Check(name="duplicates", passed=False, message="7 samples stand twice.")])
    lineage = {
        "host": "secret-host",
        "recipe": {"attribution": "Contains <modified> data"},
        "versions": {"numpy": "2.0"},
        "stages": [{"name": "cube", "inputs": [{"path": "/secret/a.tif", "sha256": "abc123"}]}],
    }
    folder = tmp_path_factory.mktemp("report")
    path = write_report(
        folder / "report.html", assessment=assessment, product=product, samples=samples, card=card, check=check, lineage=lineage
    )
    return path.read_text(encoding="utf-8")


def test_report_needs_nothing_from_outside(full: str) -> None:
    assert not re.findall(r"""(?:src|href)\s*=\s*["'](?!#|data:)""", full)
    assert not re.findall(r"url\(\s*['\"]?(?!#|data:)|@import|<script|<link|<iframe", full)


def test_report_stays_small(full: str) -> None:
    assert len(full.encode()) < 2_000_000


@pytest.mark.parametrize(
    "figure",
    [
        "87.6\u00a0%",
        "83.9\u00a0% to 91.3\u00a0%",
        "96.2\u00a0%",
        "83.4\u00a0%",
        "93.7\u00a0%",
        "19.5\u00a0%",
        "21\u202f158",
        "6\u202f158",
        "abc123",
        "c0ffee",
        "CC-BY-4.0",
        "7 samples stand twice.",
        "outside &lt;the&gt; cube",
        "25 km",
    ],
)
def test_report_holds_the_numbers_of_its_documents(full: str, figure: str) -> None:
    assert figure in full


def test_text_from_outside_is_escaped_everywhere(full: str) -> None:
    assert EVIL not in full
    assert "<b>bold</b>" not in full
    assert full.count("&lt;script&gt;") >= 6


def test_differences_between_folds_cannot_be_missed(full: str) -> None:
    assert "Random folds score 13 points higher in overall accuracy than spatial folds" in full
    assert "One class can never be learnt in spatial folds: Forest" in full
    assert "never learnt: fewer than two blocks" in full


def test_attribution_of_the_data_is_told(full: str) -> None:
    assert "Data: Contains &lt;modified&gt; data." in full


def test_hosts_and_folders_stay_out(full: str) -> None:
    assert "secret" not in full
    assert "a.tif, sha256 abc123" in full


def test_pictures_are_inline(full: str) -> None:
    assert full.count("data:image/png;base64,") == 2
    assert full.count('class="lw-chart lw-series"') == 2 * len(LEGEND)
    assert 'class="lw-chart lw-matrix"' in full
    assert 'class="lw-chart lw-places"' in full


def test_assessment_alone_makes_a_report(tmp_path: Path, assessment: Assessment) -> None:
    text = write_report(tmp_path / "a.html", assessment=assessment, title="Only counts").read_text(encoding="utf-8")
    assert "<h1>Only counts</h1>" in text
    assert "data:image/png" not in text


def test_empty_assessment_says_that_nothing_is_known(tmp_path: Path) -> None:
    text = write_report(tmp_path / "a.html", assessment=Assessment(basis="cross-validation")).read_text(encoding="utf-8")
    assert "nobody knows how good it is" in text


def test_same_inputs_give_the_same_bytes(
    tmp_path: Path, assessment: Assessment, samples: SampleTable, product: MapProduct
) -> None:
    paths = [
        write_report(tmp_path / name, assessment=assessment, product=product, samples=samples) for name in ("a.html", "b.html")
    ]
    assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.parametrize("told_by", ["argument", "card"])
def test_places_can_be_kept_out(tmp_path: Path, assessment: Assessment, samples: SampleTable, told_by: str) -> None:
    card = ModelCard(model="svm", inputs=(INPUT,), classes=LEGEND.to_dicts(), footprint=None)
    text = write_report(
        tmp_path / "a.html",
        assessment=assessment,
        samples=samples,
        show_places=told_by == "card",
        card=card if told_by == "card" else None,
    ).read_text(encoding="utf-8")
    assert 'class="lw-chart lw-places"' not in text
    assert "they must not be told" in text


def test_several_seasons_stand_side_by_side(tmp_path: Path, assessment: Assessment, product: MapProduct) -> None:
    seasons = {"2019-09-01": product, "2020-09-01": product}
    text = write_report(tmp_path / "a.html", assessment=assessment, seasons=seasons).read_text(encoding="utf-8")
    assert text.count("data:image/png;base64,") == 2
    assert text.count("<figcaption>20") == 2
    assert len(text) < 2_000_000


def test_missing_map_is_named(tmp_path: Path, assessment: Assessment, product: MapProduct) -> None:
    gone = replace(product, files={"map": tmp_path / "map.tif"})
    with pytest.raises(SourceError, match=r"cannot read .*map\.tif for the report: .*landweave predict"):
        write_report(tmp_path / "a.html", assessment=assessment, product=gone)


def test_check_protocol_is_what_the_report_reads() -> None:
    assert isinstance(SimpleNamespace(checks=[]), CheckedSamples)


@pytest.mark.parametrize(("language", "told"), [("es", "El mapa divide"), ("fr", "La carte divise"), ("pt", "O mapa divide")])
def test_report_speaks_other_languages(tmp_path: Path, assessment: Assessment, language: Any, told: str) -> None:
    text = write_report(tmp_path / "a.html", assessment=assessment, language=language).read_text(encoding="utf-8")
    assert f'<html lang="{language}">' in text
    assert told in text
    assert "87,6\u00a0%" in text
    assert "The map" not in text


def test_methods_paragraph_is_in_the_report(full: str) -> None:
    assert '<p class="copy">' in full
    assert "The map was judged on 300 reference samples" in full


def test_without_locations_the_training_area_is_whole_degrees(
    tmp_path: Path, assessment: Assessment, samples: SampleTable
) -> None:
    card = ModelCard(model="svm", inputs=(INPUT,), classes=LEGEND.to_dicts(), footprint=(15.2, -45.9, 15.8, -45.1))
    text = write_report(tmp_path / "a.html", assessment=assessment, samples=samples, card=card, no_locations=True).read_text(
        encoding="utf-8"
    )
    assert "15\u00b0, -46\u00b0, 16\u00b0, -45\u00b0" in text
    assert 'class="lw-chart lw-places"' not in text
    assert "15.20" not in text
