"""What the outside calls: names, signatures, docstrings."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest

import mvngrad as mg
from mvngrad import testing

CLASSES = [name for name in mg.__all__ if inspect.isclass(getattr(mg, name))]


def names_for_type_checkers():
    """Names imported under ``if TYPE_CHECKING`` in the package, by module."""
    tree = ast.parse(Path(mg.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: node.module for node in imports for alias in node.names}


def test_every_name_resolves():
    for name in mg.__all__:
        assert getattr(mg, name) is not None
    assert dir(mg) == sorted(mg.__all__)
    assert len(set(mg.__all__)) == len(mg.__all__)


def test_no_other_name_does():
    with pytest.raises(AttributeError, match="no attribute 'nil'"):
        mg.nil  # noqa: B018


def test_all_is_what_can_be_loaded():
    assert set(mg.__all__) - {"__version__"} == set(mg._HOME)


def test_type_checkers_see_the_same_names_from_the_same_modules():
    assert names_for_type_checkers() == {
        name: f"mvngrad.{module}" for name, module in mg._HOME.items()
    }


@pytest.mark.parametrize("name", [name for name in mg.__all__ if name != "__version__"])
def test_public_names_have_docstrings(name):
    value = getattr(mg, name)
    assert inspect.getdoc(value)
    assert value.__module__.startswith("mvngrad.")
    assert value.__name__ == name


@pytest.mark.parametrize("name", CLASSES)
def test_public_members_have_docstrings(name):
    kind = getattr(mg, name)
    for member, value in vars(kind).items():
        if not member.startswith("_") and (callable(value) or isinstance(value, property)):
            assert inspect.getdoc(value), f"{name}.{member}"


def parameters(function):
    return list(inspect.signature(function).parameters)


def keyword_only(function):
    listed = inspect.signature(function).parameters.values()
    return [p.name for p in listed if p.kind is inspect.Parameter.KEYWORD_ONLY]


def test_signatures_of_the_likelihood():
    for function in (mg.nll, mg.nll_and_grad):
        assert parameters(function) == ["X", "mean", "factor", "noise", "weights"]
        assert keyword_only(function) == ["noise", "weights"]
    assert mg.Gradient._fields == ("mean", "factor", "noise")


def test_signature_of_fit():
    expected = ["data", "covariance", "mean", "weights", "weights_kind", "missing"]
    expected += ["method", "columns", "prior", "start"]
    names = parameters(mg.fit)
    assert names[: len(expected)] == expected
    assert {"tol", "max_iter", "threads", "callback", "n_starts", "rng"} <= set(names)
    assert keyword_only(mg.fit) == names[3:]
    defaults = inspect.signature(mg.fit).parameters
    assert defaults["covariance"].default == "full"
    assert defaults["mean"].default == "free"
    assert defaults["missing"].default == "fiml"
    assert defaults["method"].default == "auto"
    assert defaults["tol"].default == 1e-10
    assert defaults["n_starts"].default == 1


def test_signature_of_select_rank():
    names = parameters(mg.select_rank)
    assert names[:3] == ["data", "max_rank", "criterion"]
    assert keyword_only(mg.select_rank) == ["n_simulations", "quantile", "rng", "fit_rank"]
    assert inspect.signature(mg.select_rank).parameters["criterion"].default == "bic"


def test_signature_of_compare():
    assert parameters(mg.compare) == ["fits", "names"]
    assert keyword_only(mg.compare) == ["names"]
    fits = [mg.fit([[0.0, 1.0], [1.0, 3.0], [3.0, 2.0], [2.0, 9.0]], c) for c in ("full", "ar1")]
    members = "rows tests statistic df pvalue warnings to_frame summary _repr_html_"
    assert [name for name in members.split() if not hasattr(mg.compare(*fits), name)] == []


def test_members_of_goodness():
    test = mg.fit([[0.0, 1.0], [1.0, 3.0], [3.0, 2.0], [2.0, 9.0]], "diagonal").goodness()
    members = """statistic df pvalue correction rmsea rmsea_interval rmsea_pvalue cfi tli srmr
    baseline"""
    assert [name for name in members.split() if not hasattr(test, name)] == []


def test_signatures_of_tests():
    for function in (mg.equal_means, mg.equal_covariances):
        assert parameters(function) == ["groups", "correction"]
    assert parameters(mg.independence) == ["data", "blocks", "correction"]
    assert parameters(mg.sphericity) == ["data", "correction"]
    for function in (mg.equal_means, mg.equal_covariances, mg.independence, mg.sphericity):
        assert keyword_only(function) == ["correction"]
        assert inspect.signature(function).parameters["correction"].default == "bartlett"


def test_signatures_of_moments():
    assert parameters(mg.Moments.of) == ["X", "weights", "frame", "threads"]
    assert parameters(mg.Moments.from_covariance) == ["S", "n", "mean", "ddof"]
    members = {"weight", "n_obs", "mean", "scatter", "cov", "save", "load"}
    assert members <= set(dir(mg.Moments.of([[0.0]])))


def test_members_of_a_fit():
    members = """mean factor covariance noise coefficients factor_correlation params columns nll
    loglik aic bic weight n_obs n_empty n_params n_iter n_eval status converged message optimality
    curvature trace warnings distribution summary to_frame save missing impute n_starts
    not_identified"""
    fit = mg.fit([[0.0], [1.0], [3.0]])
    assert [name for name in members.split() if not hasattr(fit, name)] == []


def test_members_of_a_distribution():
    members = """logpdf rvs mahalanobis degrees_of_freedom entropy kl marginal conditional impute
    mean factor covariance"""
    assert set(members.split()) <= set(dir(mg.MultivariateNormal([0.0], [[1.0]])))


def test_signatures_of_imputation():
    assert parameters(mg.Fit.impute) == [
        "self", "X", "draws", "design", "proper", "weights", "rng",
    ]  # fmt: skip
    assert keyword_only(mg.Fit.impute) == ["draws", "design", "proper", "weights", "rng"]
    assert parameters(mg.MultivariateNormal.impute) == ["self", "X", "draws", "rng"]
    assert parameters(mg.MultivariateNormal.conditional) == ["self", "x"]
    assert parameters(mg.pool) == ["estimates", "variances", "df_complete"]


def test_members_of_a_report_on_missing_values():
    members = """columns patterns counts coverage n_obs n_complete n_empty never_together
    mcar_test"""
    report = mg.fit([[0.0, 1.0], [1.0, 3.0], [3.0, 2.0], [2.0, float("nan")]]).missing
    assert isinstance(report, mg.MissingReport)
    assert [name for name in members.split() if not hasattr(report, name)] == []
    assert report.mcar_test()._fields == ("statistic", "df", "pvalue")


def test_members_of_pooled_estimates():
    members = """estimate variance standard_error within between df draws relative_increase
    fraction_missing conf_int"""
    pooled = mg.pool([1.0, 2.0], [1.0, 1.0])
    assert [name for name in members.split() if not hasattr(pooled, name)] == []


def test_names_for_missing_values_are_public():
    assert {"MissingReport", "NotIdentifiedWarning", "pool"} <= set(mg.__all__)


def test_errors_are_what_callers_catch():
    assert issubclass(mg.DataError, ValueError)
    assert issubclass(mg.MissingValuesError, mg.DataError)
    assert issubclass(mg.NeedsRowsError, mg.DataError)
    assert issubclass(mg.NotPositiveDefiniteError, ValueError)
    assert issubclass(mg.ModelFileError, ValueError)
    for name in ("Convergence", "Data", "IllConditioned", "NotIdentified"):
        assert issubclass(getattr(mg, f"{name}Warning"), UserWarning)


def test_laws_are_public():
    for law in testing.LAWS:
        assert getattr(testing, law.__name__) is law
        assert law.__doc__
    assert {law.__name__ for law in testing.LAWS} | {"check_structure"} == set(testing.__all__)
    assert parameters(testing.check_structure) == ["structure", "theta", "d", "rng"]


def test_typed():
    assert (Path(mg.__file__).parent / "py.typed").exists()
