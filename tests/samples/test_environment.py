from __future__ import annotations

import numpy as np
import pytest

from landweave.errors import SplitError
from landweave.samples import SplitOptions, split_spatial
from landweave.samples.environment import environment_of


def _two_worlds(make_samples, rng, n=200):
    """Two classes far apart in the features, each seen in a wet and a dry world that differ less."""
    wet, crop = rng.random((2, n)) < 0.5
    features = np.column_stack([10 * crop + wet, 5 * crop - wet]) + rng.normal(0, 0.05, (n, 2))
    return make_samples(rng.uniform(10, 11, (n, 2)), list(np.where(crop, "crop", "wood")), features), wet


def test_clusters_are_environments_and_not_classes(make_samples, rng):
    samples, wet = _two_worlds(make_samples, rng)
    cluster = environment_of(samples, SplitOptions(n_folds=2))
    assert np.mean(cluster == wet) in (0.0, 1.0)


def test_each_environment_is_a_fold(make_samples, rng):
    samples, wet = _two_worlds(make_samples, rng)
    folds = split_spatial(samples, SplitOptions(by="environment", n_folds=2))[0]
    assert sorted(len(f.test) for f in folds) == sorted([int(wet.sum()), int((~wet).sum())])


def test_named_columns_are_clustered_as_they_are(make_samples, rng):
    samples, _ = _two_worlds(make_samples, rng)
    height = np.repeat([100.0, 900.0], 100)
    samples.frame["elevation"] = height
    cluster = environment_of(samples, SplitOptions(environment_columns=("elevation",), n_environments=2))
    assert len(np.unique(cluster[:100])) == len(np.unique(cluster[100:])) == 1


def test_groups_share_a_cluster(make_samples, rng):
    group = np.repeat(np.arange(50), 4).astype(str)
    samples = make_samples(rng.uniform(10, 11, (200, 2)), list("ab") * 100, rng.standard_normal((200, 3)), group=group)
    cluster = environment_of(samples, SplitOptions())
    assert (cluster.reshape(50, 4) == cluster[::4, None]).all()


def test_what_cannot_be_clustered_is_refused(make_samples, rng):
    samples = make_samples(rng.uniform(10, 11, (20, 2)), list("ab") * 10)
    with pytest.raises(SplitError, match="no features to cluster by environment"):
        environment_of(samples, SplitOptions())
    with pytest.raises(SplitError, match="no column 'height' to cluster by"):
        environment_of(samples, SplitOptions(environment_columns=("height",)))
    with pytest.raises(SplitError, match="1 different environments, fewer than 5"):
        environment_of(samples, SplitOptions(environment_columns=("weight",)))
