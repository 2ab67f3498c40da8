"""Sizes of tests: how often each keeps a hypothesis that is true, at the 5 % level.

    python -m benchmarks.sizes [--replications 4000] [--rows 500] [--holes 0.1]

Prints the share of samples with p > 0.05, which should be 95 %, with its standard error.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np

Draw = Callable[[np.random.Generator, int], list[Any]]
D = 4
LEVEL = np.ones((D, 1))


def groups(rng: np.random.Generator, n: int) -> list[Any]:
    """Three groups of one mean and covariance."""
    root = np.tril(np.ones((D, D)))
    return [rng.normal(size=(size, D)) @ root.T for size in (n // 2, n // 4, n - n // 2 - n // 4)]


def alike(rng: np.random.Generator, n: int) -> list[Any]:
    """Independent columns of one variance."""
    return [rng.normal(size=(n, D))]


def exchangeable(rng: np.random.Generator, n: int) -> list[Any]:
    """Compound symmetry."""
    return [rng.normal(size=(n, 1)) + rng.normal(size=(n, D))]


def _compared(small: str, big: Any) -> Callable[..., float]:
    def pvalue(X: Any) -> float:
        import mvngrad as mg

        return float(mg.compare(mg.fit(X, small), mg.fit(X, big)).pvalue)

    return pvalue


def _goodness(X: Any) -> float:
    import mvngrad as mg

    return mg.fit(X, "compound-symmetry").goodness().pvalue


def _f_of_means(*given: Any) -> float:
    import mvngrad as mg

    return mg.equal_means(*given).f_pvalue


def _of(name: str) -> Callable[..., float]:
    def pvalue(*given: Any) -> float:
        import mvngrad as mg

        return getattr(mg, name)(*given).pvalue

    return pvalue


def _variance(X: Any) -> float:
    import mvngrad as mg

    return _compared("spherical", mg.RandomEffects(LEVEL) + mg.Spherical())(X)


TESTS: dict[str, tuple[Draw, Callable[..., float]]] = {
    "equal means, χ²": (groups, _of("equal_means")),
    "equal means, F": (groups, _f_of_means),
    "equal covariances": (groups, _of("equal_covariances")),
    "independence": (alike, _of("independence")),
    "sphericity": (alike, _of("sphericity")),
    "spherical in diagonal": (alike, _compared("spherical", "diagonal")),
    "goodness of compound symmetry": (exchangeable, _goodness),
    "a variance of 0": (alike, _variance),
}


def kept(name: str, seed: int, replications: int, n: int, holes: float) -> int:
    """Of so many samples, those with p > 0.05."""
    draw, pvalue = TESTS[name]
    rng, count = np.random.default_rng(seed), 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(replications):
            given = draw(rng, n)
            if holes:
                given = [np.where(rng.random(X.shape) < holes, np.nan, X) for X in given]
            count += pvalue(*given) > 0.05
    return count


def main() -> None:
    """Run every test and print the shares."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sizes", description=__doc__)
    parser.add_argument("--replications", type=int, default=4000)
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--holes", type=float, default=0.1)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"  # before the processes load BLAS
    each = options.replications // options.processes
    print(f"{each * options.processes} samples of {options.rows} rows, {D} columns\n")
    with ProcessPoolExecutor(options.processes) as pool:
        for holes in (0.0, options.holes):
            for name in TESTS:
                if holes and name == "equal means, F":  # there is none
                    continue
                began = time.perf_counter()
                parts = [
                    pool.submit(kept, name, seed, each, options.rows, holes)
                    for seed in range(options.processes)
                ]
                share = sum(part.result() for part in parts) / (each * options.processes)
                error = np.sqrt(share * (1 - share) / (each * options.processes))
                seconds = time.perf_counter() - began
                label = f"{name}, {holes:.0%} holes" if holes else name
                print(f"{label:45} {share:.2%} ± {error:.2%}  ({seconds:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
