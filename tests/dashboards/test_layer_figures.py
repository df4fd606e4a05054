"""Figures of layers: medians and bands over seeds, targets, spectra of the last update, and whom they leave out."""

from pathlib import Path

import numpy as np
import pytest

from dashboards.figures import FIGURES
from dashboards.figures.layers import LayersData
from dashboards.figures.spectra import SpectraData
from tests.dashboards.synthetic import Story, Sweep, make_preset, open_sweep


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    preset = make_preset(("none", "wgan-gp", "sn", "ssn(factor=1.4)"), ("A", "F"), seeds=3)
    return open_sweep(tmp_path_factory.mktemp("layers"), preset, Story(grids=False))


@pytest.mark.parametrize(("figure", "quantity"), [("gradient-norms", "gradient"), ("weight-variance", "variance")])
def test_curves_are_medians_with_bands_from_lowest_to_highest_seed(figure: str, quantity: str, sweep: Sweep) -> None:
    data = FIGURES[figure].prepare(sweep.frames())
    assert isinstance(data, LayersData)
    rows = sweep.store.diagnostics("made-up", "quick")
    rows = rows[(rows["name"] == f"layer2/{quantity}") & (rows["method"] == "sn") & (rows["setting"] == "A")]
    for update in (0, 200, 800):
        values = rows.loc[rows["update"] == update, "value"].to_numpy()
        assert len(values) == 3
        (found,) = data.curves.query("method == 'sn' and setting == 'A' and layer == 2 and update == @update").to_dict(
            "records"
        )
        assert found["median"] == np.median(values)
        assert (found["low"], found["high"], found["num_seeds"]) == (values.min(), values.max(), 3)


def test_targets_are_the_same_in_every_layer_but_xaviers(sweep: Sweep) -> None:
    data = FIGURES["weight-variance"].prepare(sweep.frames())
    assert isinstance(data, LayersData)
    table = data.targets.pivot_table(index="target", columns="layer", values="value")
    assert table.loc["LeCun"].tolist() == [1, 1]
    assert table.loc["Kaiming"].tolist() == pytest.approx([2 / 1.01, 2 / 1.01])
    assert table.loc["Xavier"].tolist() == [0.5, 1.0]


def test_only_methods_that_aim_at_1_are_tracked(sweep: Sweep, tmp_path: Path) -> None:
    data = FIGURES["sigma-tracking"].prepare(sweep.frames())
    assert isinstance(data, LayersData)
    assert data.methods == ("sn",)
    other = open_sweep(tmp_path, make_preset(("none", "wgan-gp"), ("A",)), Story(grids=False))
    assert "No method divides" in FIGURES["sigma-tracking"].prepare(other.frames()).absent


def test_spectra_are_squared_shares_of_the_largest_at_the_last_update(sweep: Sweep) -> None:
    data = FIGURES["spectra"].prepare(sweep.frames())
    assert isinstance(data, SpectraData)
    sn = data.curves.query("method == 'sn' and setting == 'A' and layer == 1")
    # The made-up spectra decay as exp(-0.05 t).
    assert sn["number"].tolist() == list(range(1, 17))
    np.testing.assert_allclose(sn["median"], np.exp(-0.1 * np.arange(16)), rtol=1e-6)
    # WGAN-GP diverged at F with seeds 0 and 2 before the last update.
    (counted,) = data.curves.query("method == 'wgan-gp' and setting == 'F'")["num_seeds"].unique()
    assert counted == 1
