"""What a fit warns of, in words."""

from __future__ import annotations

from mvngrad.core.roots import correlation_condition
from mvngrad.errors import ConvergenceWarning, IllConditionedWarning, NotIdentifiedWarning, warn
from mvngrad.fitting.convergence import Status
from mvngrad.fitting.factors import Said
from mvngrad.fitting.identified import Pairs, in_words
from mvngrad.fitting.solution import Solution

ILL_CONDITIONED = 1e12
SLOW = 0.02  # smallest curvature: 98 % of some information is missing


def said_of(
    solution: Solution, together: Pairs, of_factors: Said, *, holes: bool
) -> tuple[str, ...]:
    """Warnings in words, each also issued as a Python warning."""
    said: Said = []
    if solution.status is not Status.CONVERGED:
        text = f"{solution.status.message} (optimality {solution.optimality:.3g})"
        said.append((text, ConvergenceWarning))
    if together:
        said.append((in_words(together), NotIdentifiedWarning))
    if holes and 0.0 < solution.curvature < SLOW:
        text = (
            f"for some combination of means and covariances {1.0 - solution.curvature:.1%} of the "
            "information is missing: EM converges at that rate, and its estimate is uncertain"
        )
        said.append((text, NotIdentifiedWarning))
    said += of_factors
    condition = correlation_condition(solution.factor)
    if condition > ILL_CONDITIONED:
        text = (
            f"the correlation matrix has condition number {condition:.1e}: columns are nearly "
            "collinear, and what depends on its inverse has few digits"
        )
        said.append((text, IllConditionedWarning))
    for text, category in said:
        warn(text, category)
    return tuple(text for text, _ in said)
