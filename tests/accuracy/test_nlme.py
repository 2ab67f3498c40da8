"""Log-likelihoods that R's nlme 3.1 prints for the same models of the same rows.

Ours is a certified maximum, so it may be a little higher. In R, with one row a cell of X:

    gls(x ~ occasion, method = "ML", correlation = corAR1(form = ~ u | subject),
        weights = varIdent(form = ~ 1 | occasion))
    lme(x ~ occasion, random = ~ t | subject, method = "ML")

corARMA(p = 3) of four occasions is any Toeplitz correlation.
"""

from __future__ import annotations

import numpy as np
import pytest

import mvngrad as mg

I, T = np.arange(40)[:, None], np.arange(4)
X = ((17 * I) % 13 + T * (I % 3) + (5 * I**2 + 11 * I * T + 7 * T**2) % 9).astype(float)
HOLED = np.where((I + 2 * T) % 5 == 0, np.nan, X)
Z = np.column_stack([np.ones(4), T])

LOGLIK = {  # of all rows; of those with holes; parameters
    "compound-symmetry": (-436.354643876135, -354.41682023805, 6),
    "ar1": (-442.085630252677, -355.984905684977, 6),
    "toeplitz": (-435.146197966331, -352.627510620724, 8),
    "heterogeneous-compound-symmetry": (-425.327355251293, -344.585446911592, 9),
    "heterogeneous-ar1": (-433.660104240594, -348.282197309778, 9),
    "heterogeneous-toeplitz": (-424.94459497121, -344.078234476294, 11),
    "full": (-420.194854080654, -340.672426481591, 14),
    mg.RandomEffects(Z) + mg.Spherical(): (-432.96719396369, -351.01183149575, 8),
    mg.RandomEffects(Z, mg.Diagonal()) + mg.Spherical(): (-433.570049794968, -351.069358711731, 7),
}


@pytest.mark.parametrize("structure", LOGLIK, ids=str)
@pytest.mark.parametrize("holes", [False, True])
def test_loglik_is_that_of_nlme(structure, holes):
    fit = mg.fit(HOLED if holes else X, structure)
    *expected, n_params = LOGLIK[structure]
    assert fit.converged
    assert fit.n_params == n_params
    assert -1e-8 <= fit.loglik - expected[holes] <= 1e-6
