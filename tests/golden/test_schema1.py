"""The file of schema 1, kept from when it was new: still read, and still right."""

from __future__ import annotations

import numpy as np

import mvngrad as mg
from golden.fit_schema1 import COLUMNS, PATH, ROWS, WEIGHTS, golden_fit
from modelfiles import arrays_of, document_of


def test_the_golden_file_holds_what_a_fit_of_its_data_gives_today():
    kept, now = mg.load(PATH), golden_fit()
    assert kept.columns == now.columns == COLUMNS
    assert (repr(kept.structure), kept.status, kept.n_obs) == ("Factor(k=4)", now.status, 6)
    assert np.allclose(kept.mean, now.mean, rtol=1e-5)
    assert np.allclose(kept.covariance, now.covariance, rtol=1e-4)
    assert np.allclose([kept.nll, kept.aic, kept.bic], [now.nll, now.aic, now.bic], rtol=1e-9)


def test_the_golden_file_obeys_the_law():
    kept = mg.load(PATH)
    J, gradient = mg.nll_and_grad(ROWS, kept.mean, kept.factor, weights=WEIGHTS)
    assert np.isclose(kept.nll, J, rtol=1e-13)
    assert np.allclose(kept.params, kept.factor.ravel(), rtol=1e-13)
    assert np.isclose(kept.weight, WEIGHTS.sum())
    # at the maximum the gradient vanishes, in the units of the whitened data
    assert np.abs(kept.factor.T @ gradient.factor).max() < 1e-3
    assert np.abs(kept.factor.T @ gradient.mean).max() < 1e-3


def test_the_golden_file_is_written_as_today(tmp_path):
    path = tmp_path / "again.safetensors"
    mg.load(PATH).save(path)
    kept, now = document_of(PATH), document_of(path)
    assert kept | {"written_by": now["written_by"]} == now
    assert arrays_of(PATH).keys() == arrays_of(path).keys()
