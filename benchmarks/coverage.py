"""Do 95 % intervals cover, and do tests hold their size? ``python -m benchmarks.coverage``.

Data sets are drawn from one factor of four columns, x = μ + λf + e, fitted, and the share of
intervals that hold the true value is counted, entry by entry. Tests are of hypotheses that hold.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import machine

machine.pin(1)

import numpy as np  # noqa: E402 - after the threads are pinned
from scipy.special import chdtrc  # noqa: E402

import mvngrad as mg  # noqa: E402
from benchmarks.problems import Floats  # noqa: E402
from benchmarks.report import table  # noqa: E402

SEED = 1908  # Student
SETS, ROWS, MANY_ROWS = 4000, 500, 10_000
LEVEL, ALLOWED = 0.95, 0.015
MEAN = np.array([1.0, -2.0, 0.0, 5.0])
LOADINGS = np.array([0.8, 0.7, 0.6, 0.85])
NOISE = 1.0 - LOADINGS**2
S = np.outer(LOADINGS, LOADINGS) + np.diag(NOISE)  # a correlation matrix: variances are 1
TRUE = {
    "mean": MEAN,
    "covariance": S,
    "deviations": np.ones(4),
    "correlation": S,
    "factor": LOADINGS[:, None],
    "noise": NOISE,
}
MOMENTS, FACTORS = ("mean", "covariance", "correlation"), ("factor", "noise")
COLUMNS = ("mean", "variance", "covariance", "correlation", "factor", "noise")
SHARE = 0.2

Draw = Callable[[np.random.Generator, tuple[int, int]], Floats]
INTRO = f"""\
A column of the table is the lowest and the highest share of {100 * LEVEL:g} % intervals that hold
the true value, over the entries of that estimate, in per cent; covered is within
± {100 * ALLOWED:g}. Rows are draws of x = μ + λf + e of four columns, λ = {LOADINGS.tolist()},
variances 1. Means, covariances and correlations are those of mvngrad.fit(X), loadings and noise
those of FactorAnalytic(1). Intervals are fit.conf_int(): variances and noise on the log scale,
correlations on Fisher's z.

* MCAR: each entry is missing with probability {SHARE:g}.
* MAR: the first column is complete; the others are missing with probability
  1/(1 + exp(1.4 − 1.5 z)), z that column less its mean: {SHARE:.0%} of all entries.
* t5: f and e are independent t variables of five degrees of freedom, scaled to the same variances;
  their fourth moments are finite, those of eight are not, and the sandwich of variances estimates
  the eighth: these are given at n = {MANY_ROWS:,} too.
"""


READING = """\
## What is seen

* With normal rows every interval of `kind="observed"`, the default, and of the sandwich covers,
  complete or with holes, MCAR or MAR. Likelihood ratios, Wald's test and Little's hold their size.
* `kind="expected"` supposes MCAR, and says so in a warning: under MAR it falls short by up to 3
  (Kenward & Molenberghs 1998).
* With t5 rows the information covers means alone; variances 81 to 83, loadings 85 to 91. The
  sandwich covers means at once; loadings and correlations at 93.5 to 95 from n = 500, at the margin
  of what is allowed; variances, covariances and noise within 1.5 to 3 at n = 500, and within 1.5 at
  n = 10,000.
* Score tests by the expected information hold their size but under MAR, where they are shy. By the
  observed information they are quick to reject at n = 500, complete data included: the default is
  the expected one.
"""


def normal(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Standard normal."""
    return rng.standard_normal(shape)


def t5(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """t of five degrees of freedom, at variance 1."""
    return rng.standard_t(5, shape) * np.sqrt(3.0 / 5.0)


def complete(X: Floats, rng: np.random.Generator) -> Floats:  # noqa: ARG001
    """Nothing missing."""
    return X


def mcar(X: Floats, rng: np.random.Generator) -> Floats:
    """Each entry missing by chance."""
    return np.where(rng.random(X.shape) < SHARE, np.nan, X)


def mar(X: Floats, rng: np.random.Generator) -> Floats:
    """Missing by chance that depends on the first column, which is complete."""
    chance = 1.0 / (1.0 + np.exp(1.4 - 1.5 * (X[:, :1] - MEAN[0])))
    lost = rng.random(X.shape) < chance
    lost[:, 0] = False
    return np.where(lost, np.nan, X)


@dataclass(frozen=True)
class Study:
    """A way to draw data, and the kinds of standard error to try on them."""

    name: str
    draw: Draw
    lose: Callable[[Floats, np.random.Generator], Floats]
    kinds: tuple[str, ...]
    rows: int = ROWS
    tests: bool = True

    def sets(self, number: int) -> Iterator[tuple[Floats, Floats]]:
        """Data sets of one factor, and of independent columns with holes made in the same way."""
        for i in range(number):
            rng = np.random.default_rng([SEED, *self.name.encode(), i])
            X = MEAN + self.draw(rng, (self.rows, 1)) * LOADINGS
            X = X + self.draw(rng, (self.rows, 4)) * np.sqrt(NOISE)
            yield self.lose(X, rng), self.lose(MEAN + self.draw(rng, X.shape), rng)


STUDIES = (
    Study("complete", normal, complete, ("observed", "expected", "sandwich")),
    Study("20 % MCAR", normal, mcar, ("observed", "expected", "sandwich")),
    Study("20 % MAR", normal, mar, ("observed", "expected", "sandwich")),
    Study("t5, complete", t5, complete, ("sandwich", "observed"), tests=False),
    Study("t5, 20 % MCAR", t5, mcar, ("sandwich", "observed"), tests=False),
    Study("t5, complete, large", t5, complete, ("sandwich",), MANY_ROWS, tests=False),
)


@dataclass
class Counts:
    """Intervals that hold the truth, and those there are, by kind and name; p-values by test."""

    held: dict[tuple[str, str], Any] = field(default_factory=lambda: defaultdict(int))
    given: dict[tuple[str, str], Any] = field(default_factory=lambda: defaultdict(int))
    pvalues: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def add(self, fit: mg.Fit, kind: Any, names: tuple[str, ...]) -> None:
        """The intervals of a fit."""
        intervals = fit.conf_int(LEVEL, kind=kind)
        for name in names:
            ends = getattr(intervals, name)
            self.held[kind, name] += (ends[..., 0] <= TRUE[name]) & (TRUE[name] <= ends[..., 1])
            self.given[kind, name] += np.isfinite(ends).all(axis=-1).astype(int)

    def shares(self, kind: str, name: str) -> Floats:
        """Of the intervals there are, those that hold the truth, entry by entry."""
        of = "covariance" if name == "variance" else name
        shares = np.asarray(self.held[kind, of] / self.given[kind, of])
        if name == "variance":
            return np.diagonal(shares)
        return shares[np.tril_indices(4, -1)] if shares.shape == S.shape else shares.ravel()

    def none(self, kind: str, name: str) -> int:
        """Most data sets without an interval of one entry: at the edge of the family."""
        given = self.given[kind, "covariance" if name == "variance" else name]
        return int(self.given[kind, "mean"].max() - given.min())


def run(study: Study, number: int) -> Counts:
    """All data sets of a study."""
    counts = Counts()
    for i, (X, independent) in enumerate(study.sets(number)):
        fits = {MOMENTS: mg.fit(X), FACTORS: mg.fit(X, mg.FactorAnalytic(1))}
        for kind in study.kinds:
            for names, fit in fits.items():
                counts.add(fit, kind, names)
        if study.tests:
            _tests(study, fits, independent, counts)
        if i % 500 == 499:
            print(f"{study.name}: {i + 1}", file=sys.stderr, flush=True)
    return counts


def _tests(study: Study, fits: Any, independent: Floats, counts: Counts) -> None:
    """p-values of what holds."""
    full, factor = fits[MOMENTS], fits[FACTORS]
    counts.pvalues["likelihood ratio, one factor in full"].append(_ratio(factor, full))
    wald = full.wald_test(lambda mean, S: mean, MEAN)  # noqa: ARG005
    counts.pvalues["Wald, mean as it is"].append(wald.pvalue)
    if study.lose is mcar:
        counts.pvalues["Little's, MCAR"].append(full.missing.mcar_test().pvalue)
    diagonal = mg.fit(independent, "diagonal")
    counts.pvalues["likelihood ratio, diagonal in full"].append(
        _ratio(diagonal, mg.fit(independent))
    )
    for kind in ("observed", "expected"):
        name = f"score by the {kind} information, diagonal in full"
        counts.pvalues[name].append(diagonal.score_test(kind=kind).pvalue)


def _ratio(small: mg.Fit, large: mg.Fit) -> float:
    statistic = 2.0 * (large.loglik - small.loglik)
    return float(chdtrc(large.n_params - small.n_params, max(statistic, 0.0)))


def lines(results: dict[Study, Counts], number: int) -> list[str]:
    """Tables of shares, and of sizes of tests."""
    once = 100 * np.sqrt(LEVEL * (1 - LEVEL) / number)
    body = []
    for study, counts in results.items():
        for kind in study.kinds:
            cells = [_cell(counts, kind, name) for name in COLUMNS]
            body.append([study.name, f"{study.rows:,}", kind, *cells])
    return [
        "# Coverage",
        "",
        f"{machine.versions()}.",
        "",
        (
            f"{number:,} data sets a row, of seeds [{SEED}, study, 0 … {number - 1:,}]: "
            f"the Monte-Carlo standard error of a share of 95 % is {once:.2f} %."
        ),
        "",
        INTRO,
        *table(["data", "n", "standard errors", *COLUMNS], body),
        "Sizes of tests at 5 %, in per cent, of hypotheses that hold:",
        "",
        *table(["data", "test", "size"], list(_sizes(results))),
        READING,
    ]


def _cell(counts: Counts, kind: str, name: str) -> str:
    shares, none = counts.shares(kind, name), counts.none(kind, name)
    low, high = 100 * shares.min(), 100 * shares.max()
    short = max(100 * LEVEL - low, high - 100 * LEVEL) > 100 * ALLOWED
    lost = f" ({none} without)" if none else ""
    return (f"**{low:.1f}–{high:.1f}**" if short else f"{low:.1f}–{high:.1f}") + lost


def _sizes(results: dict[Study, Counts]) -> Iterator[list[str]]:
    for study, counts in results.items():
        for test, p in counts.pvalues.items():
            size = 100 * float(np.mean(np.array(p) < 1.0 - LEVEL))
            short = abs(size - 100 * (1.0 - LEVEL)) > 100 * ALLOWED
            yield [study.name, test, f"**{size:.1f}**" if short else f"{size:.1f}"]


def main() -> None:
    """Run the studies, print Markdown, and write it where told."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coverage", description=__doc__)
    parser.add_argument("--sets", type=int, default=SETS, help=f"data sets (default {SETS})")
    parser.add_argument("--output", type=Path, help="a file to write besides standard output")
    options = parser.parse_args()
    warnings.simplefilter("ignore", mg.DataWarning)  # that the expected kind supposes MCAR
    text = "\n".join(lines({study: run(study, options.sets) for study in STUDIES}, options.sets))
    print(text)
    if options.output is not None:
        options.output.write_text(text.rstrip() + "\n")


if __name__ == "__main__":
    main()
