"""The loop of few labels: propose places to label, export them, import the answers, refit.

Receives a model, a cube and the samples so far; hands on places without labels, then samples and a model that know more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from landweave.errors import SampleError
from landweave.io.files import write_text
from landweave.io.vectors import write_gpkg
from landweave.label.active import Diversity, choose_batch, committee_disagreement, uncertainty
from landweave.label.checking import make_vectors
from landweave.models import ModelOptions, PixelModel, train_model
from landweave.models.training import fit_model
from landweave.samples import DrawOptions, SampleOptions, draw_design, extract_samples, import_reference
from landweave.samples.blocks import earth_xyz
from landweave.types import CubeSet, Design, ModelCard, Options, Progress, SampleTable, Season

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = [
    "ProposeOptions", "Refit", "Strategy", "add_labels", "export_places", "import_answers", "options_of", "propose_places",
    "refit_model", "score_places", "train_committee",
]  # fmt: skip

Strategy = Literal["random", "entropy", "margin", "least-confident", "committee"]


class ProposeOptions(Options):
    """How places to label are chosen."""

    n: int = Field(50, ge=1, description="places to propose")
    strategy: Strategy = Field("margin", description="random, entropy, margin, least-confident, or committee of models")
    diversity: Diversity = Field("cluster", description="none, cluster (unlike each other), or density (typical of the scene)")
    min_distance_m: float = Field(0, ge=0, description="least distance between proposed places, and to those labelled")
    n_candidates: int = Field(10_000, ge=10, description="pixels drawn at random that are looked at")
    seed: int = Field(0, ge=0, description="seed of the draw")


def score_places(
    model: PixelModel, features: NDArray[np.float32], *, strategy: Strategy, rng: np.random.Generator,
    committee: Sequence[PixelModel] = (),
) -> NDArray[np.float64]:  # fmt: skip
    """Say how much a label would tell at each place.

    Args:
        model: The model so far.
        features: Rows (place, feature) in the order of the model's card.
        strategy: What is taken for it.
        rng: For `random`.
        committee: Models trained on other draws or of other families, which `committee` compares with each other (and with
            `model`, where there is only one more).

    Returns:
        (place,), higher is better; NaN where the model cannot judge.

    Raises:
        SampleError: If `committee` has nobody to compare.
    """
    proba = model.predict_features(features)
    if strategy == "random":
        return np.where(np.isnan(proba[:, 0]), np.nan, rng.random(len(proba)))
    if strategy == "committee":
        members = [*committee] if len(committee) > 1 else [model, *committee]
        if len(members) < 2:
            raise SampleError("strategy committee compares models, and there is only one; give more model folders "
                              "(--committee), or use margin")  # fmt: skip
        return committee_disagreement(np.stack([m.predict_features(features) for m in members]))
    return uncertainty(proba, strategy)


def train_committee(
    samples: SampleTable, *, options: ModelOptions, n_members: int = 5, rng: np.random.Generator
) -> list[PixelModel]:
    """Train a committee on bootstrap draws of the samples' groups (query by bagging: Abe and Mamitsuka 1998).

    Each class keeps at least one of its groups, so that all members know all classes.

    Args:
        samples: Labelled rows with features.
        options: The model; members differ in their rows and seeds.
        n_members: How many.
        rng: Draws.

    Raises:
        ModelError: If the model cannot be trained.
    """
    groups = np.unique(samples.frame["group"].to_numpy().astype(str), return_inverse=True)[1].reshape(-1)
    labels = samples.to_class_index()
    members = []
    for _ in range(n_members):
        keep = [rng.choice(groups[labels == c]) for c in np.unique(labels)]
        n_groups = int(groups.max()) + 1
        drawn = np.concatenate([rng.integers(0, n_groups, max(n_groups - len(keep), 0)), keep])
        rows = np.concatenate([np.flatnonzero(groups == g) for g in drawn])
        seeded = options.model_copy(update={"seed": int(rng.integers(2**31))})
        members.append(fit_model(samples.select(rows), options=seeded))
    return members


def propose_places(
    model: PixelModel, cubes: CubeSet, *, options: ProposeOptions, labelled: SampleTable | None = None,
    committee: Sequence[PixelModel] = (), season_start: date | None = None, progress: Progress | None = None,
) -> SampleTable:  # fmt: skip
    """Propose places whose labels would teach the model most.

    Args:
        model: The model so far.
        cubes: What it maps; for a model trained on a season, the cubes of one (`cube.select_season`).
        options: How many and how.
        labelled: Samples so far; places nearer than `min_distance_m` to one are passed over.
        committee: More models, for the strategy `committee`.
        season_start: First day of the season of `cubes`, which the labels will stand for.
        progress: Told about blocks.

    Returns:
        Places without a class but with features, best first, with the columns `priority` (1 is best) and `score`. They are
        chosen for what they teach: areas and accuracies must not be estimated from them, and `design` says so.

    Raises:
        SampleError: If no candidate has a valid observation or is far enough from the labelled places.
    """
    rng = np.random.default_rng(options.seed)
    size = cubes.geobox.shape[0] * cubes.geobox.shape[1]
    drawn = draw_design(cubes.geobox, options=DrawOptions(kind="simple", n=min(options.n_candidates, size), seed=options.seed))
    places = replace(extract_samples(drawn, cubes, progress=progress), rejected=None)
    if labelled is not None and options.min_distance_m > 0:
        places = _away_from(places, labelled, options.min_distance_m)
    score = score_places(model, places.to_features(), strategy=options.strategy, rng=rng, committee=committee)
    chosen = choose_batch(
        score, options.n, rng=rng, features=np.nan_to_num(make_vectors(places)), diversity=options.diversity,
        lonlat=places.to_xy("EPSG:4326"), min_distance_m=options.min_distance_m,
    )  # fmt: skip
    picked = places.select(chosen)
    n = len(picked)
    start, end = _times(model.card, season_start)
    frame = picked.frame.assign(**{
        "sample_id": np.arange(n), "group": [f"proposed {i}" for i in range(n)], "stratum": None, "purpose": "train",
        "inclusion_probability": np.nan, "time_start": start, "time_end": end, "priority": np.arange(1, n + 1),
        "score": score[chosen],
    })  # fmt: skip
    note = (f"chosen by {options.strategy} (diversity {options.diversity}) of {len(places)} candidates for what their labels "
            "teach; no probability sample, so that areas and accuracies must not be estimated from it")  # fmt: skip
    return replace(picked, frame=frame, legend=model.card.legend, design=Design(seed=options.seed, note=note))


def _away_from(places: SampleTable, labelled: SampleTable, distance_m: float) -> SampleTable:
    from scipy.spatial import cKDTree

    known = cKDTree(earth_xyz(labelled.to_xy("EPSG:4326")))
    near = known.query(earth_xyz(places.to_xy("EPSG:4326")), distance_upper_bound=distance_m)[0]
    if not np.isinf(near).any():
        raise SampleError(f"all {len(places)} candidates lie within {distance_m:g} m of a labelled place; make "
                          "min_distance_m smaller")  # fmt: skip
    return places.select(np.isinf(near))


def _times(card: ModelCard, start: date | None) -> tuple[np.datetime64, np.datetime64]:
    season = next((i.season for i in card.inputs if i.season is not None), None)
    if start is None or season is None:
        return np.datetime64("NaT", "ms"), np.datetime64("NaT", "ms")
    end = start + timedelta(days=season.length_days)
    return np.datetime64(start, "ms"), np.datetime64(end, "ms")


def export_places(places: SampleTable, path: Path | str) -> Path:
    """Write places for people to label; the model's opinion of them is not shown, as it would sway the labellers.

    Args:
        places: From `propose_places`.
        path: Ends in .gpkg (opens in QGIS) or .csv (Collect Earth Online, spreadsheets).

    Returns:
        The path. Columns: sample_id, priority, class and labeller (to be filled in), note, time_start, time_end, lon, lat.

    Raises:
        SampleError: If the suffix is another.
    """
    at = Path(path)
    frame = _blank_form(places)
    if at.suffix.lower() == ".gpkg":
        return write_gpkg(at, frame, layer="places")
    if at.suffix.lower() == ".csv":
        write_text(at, frame.drop(columns="geometry").to_csv(index=False, lineterminator="\n"))
        return at
    raise SampleError(f"places cannot be written to {at.name}; give a name that ends in .gpkg or .csv")


def _blank_form(places: SampleTable) -> gpd.GeoDataFrame:
    import geopandas as gpd

    lonlat = places.to_xy("EPSG:4326")
    old = places.frame
    data = {"sample_id": old["sample_id"].to_numpy(), "priority": np.arange(1, len(old) + 1)}
    if "priority" in old:
        data["priority"] = old["priority"].to_numpy()
    frame = gpd.GeoDataFrame(data, geometry=gpd.points_from_xy(*lonlat.T), crs="EPSG:4326")
    for name in ("class", "labeller", "note"):
        frame[name] = ""
    for name in ("time_start", "time_end"):
        frame[name] = old[name].dt.strftime("%Y-%m-%d").fillna("").to_numpy()
    return frame.assign(lon=lonlat[:, 0], lat=lonlat[:, 1])


def import_answers(path: Path | str, cubes: CubeSet, *, card: ModelCard) -> SampleTable:
    """Read places that people have labelled.

    Args:
        path: A file that `export_places` wrote, its column `class` filled in; rows left empty are listed as rejected. Several
            rows per place (several labellers) are kept: see `agree_samples`.
        cubes: Whose pixels the places are.
        card: The model's, for the classes.

    Raises:
        SampleError: If a label is not a class of the model (the nearest is named), or none is filled in.
        SourceError: If the file cannot be read.
    """
    from landweave.io.vectors import read_vectors

    columns = set(read_vectors(path).columns)
    timed = any(i.season is not None for i in card.inputs)
    options = SampleOptions(
        reference=str(path), class_column="class", labeller_column="labeller" if "labeller" in columns else None,
        start_column="time_start" if timed and "time_start" in columns else None,
        end_column="time_end" if timed and "time_end" in columns else None,
    )  # fmt: skip
    return import_reference(options, legend=card.legend, geobox=cubes.geobox)


def add_labels(
    samples: SampleTable, answers: SampleTable, cubes: CubeSet, *, season: Season | None = None,
    progress: Progress | None = None,
) -> SampleTable:  # fmt: skip
    """Extract the answers' features and put them under the samples so far.

    Args:
        samples: With features.
        answers: From `import_answers`.
        cubes: Where the features of the answers come from.
        season: That of the samples' inputs, where they have one.
        progress: Told about blocks.

    Returns:
        All rows, numbered on from the samples' highest id.

    Raises:
        SampleError: If the cube gives other features than the samples have, or no answer has an observation.
    """
    import geopandas as gpd
    import pandas as pd

    new = extract_samples(answers, cubes, season=season, progress=progress)
    if new.feature_names != samples.feature_names:
        theirs, ours = (f"{len(n)} features ({', '.join(n[:3])}, ...)" for n in (new.feature_names, samples.feature_names))
        raise SampleError(f"cube gives {theirs}, the samples have {ours}; use the cube that they were extracted from")
    first = int(samples.frame["sample_id"].max()) + 1 if len(samples) else 0
    frame = new.frame.to_crs(samples.frame.crs)
    frame = frame.assign(sample_id=np.arange(first, first + len(frame)), purpose="train")
    common = [c for c in samples.frame.columns if c in frame.columns]
    joined = pd.concat([samples.frame, frame[common]], ignore_index=True)
    rows = gpd.GeoDataFrame(joined, geometry="geometry", crs=samples.frame.crs)
    rejected = [r for r in (samples.rejected, new.rejected) if r is not None]
    note = f"{samples.design.note}; {len(frame)} rows added where the model was unsure".lstrip("; ")
    return replace(samples, frame=rows, design=Design(note=note),
                   rejected=pd.concat(rejected, ignore_index=True) if rejected else None)  # fmt: skip


def options_of(card: ModelCard) -> ModelOptions:
    """Give the options that train a model like the one of a card (class weights are not on it)."""
    return ModelOptions(name=card.model, params=dict(card.params), missing=card.missing, min_valid_steps=card.min_valid_steps)


@dataclass(frozen=True)
class Refit:
    """A model after a round of labelling.

    Attributes:
        model: Trained on all rows.
        samples: All rows.
        n_new: Rows that were added.
    """

    model: PixelModel
    samples: SampleTable
    n_new: int


def refit_model(
    model: PixelModel, samples: SampleTable, answers: SampleTable, cubes: CubeSet, *, options: ModelOptions | None = None,
    progress: Progress | None = None,
) -> Refit:  # fmt: skip
    """Train a model anew with the answers of a round.

    Args:
        model: The model so far.
        samples: What it was trained on.
        answers: From `import_answers`.
        cubes: Where the answers' features come from.
        options: The model's, by default those of its card.
        progress: Told about blocks.

    Raises:
        SampleError: If the cube does not fit the samples.
        ModelError: If the model cannot be trained.
    """
    season = next((i.season for i in model.card.inputs if i.season is not None), None)
    joined = add_labels(samples, answers, cubes, season=season, progress=progress)
    again = train_model(joined, options=options or options_of(model.card), licence=model.card.licence)
    return Refit(again, joined, len(joined) - len(samples))
