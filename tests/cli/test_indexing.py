"""`landweave indices` and `propose-indices` as a user meets them."""

from __future__ import annotations

import pytest

from landweave.cli.app import run


@pytest.mark.parametrize(("arguments", "shown"), [
    ([], "savi"), (["mndwi"], "10.1080/01431160600589179"), (["nd(blue,red,nir)"], "2 nir"), (["--bands", "red,nir"], "ndvi"),
    (["--sensor", "sentinel-2-l2a"], "ndre"),
])  # fmt: skip
def test_indices_are_listed_with_formula_and_source(arguments, shown, capsys):
    assert run(["indices", *arguments]) == 0
    assert shown in capsys.readouterr().out


def test_bands_that_an_index_needs_decide(capsys):
    assert run(["indices", "--bands", "red,nir"]) == 0
    assert "mndwi" not in capsys.readouterr().out


@pytest.mark.parametrize(("arguments", "message"), [
    (["nosuchindex"], "no index named"), (["ndvi", "--bands", "red"], "one of them"), (["nd(red)"], "different bands"),
])  # fmt: skip
def test_mistakes_are_one_line(arguments, message, capsys):
    assert run(["indices", *arguments]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.real
def test_formulas_are_ranked_on_real_series(real_data, tmp_path, capsys):
    from landweave.io.tables import write_samples
    from landweave.samples import SampleOptions, import_series

    path = real_data / "modis-matogrosso" / "sits_matogrosso_mod13q1_1892x23x6.npz"
    write_samples(import_series(SampleOptions(series=str(path), sensor="modis-mod13q1")), tmp_path / "samples.parquet")
    out = tmp_path / "ranking.csv"
    assert run(["propose-indices", str(tmp_path / "samples.parquet"), "--out", str(out)]) == 0
    assert "nd(nir,red)" in capsys.readouterr().out
    lines = out.read_text().splitlines()
    assert lines[0] == "indices,macro_f1,lower,upper,known_as"
    assert lines[1].startswith('"nd(nir,red)"')
    assert lines[1].endswith("ndvi")
