"""The model file: what goes in comes out, bit for bit, and a write is whole or not at all."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest

import mvngrad as mg
from cases import CASES, Case
from modelfiles import arrays_of, document_of
from mvngrad import modelfile
from mvngrad.fitting.convergence import Status, Step, Trace
from mvngrad.models.structure import Structure

# Stay behind: a loaded fit has no rows to report on, and nothing to refit with.
OF_THE_ROWS = {"given_fingerprint", "refit_priors", "grounds"}
FEW = 5  # iterations: what is saved need not have converged
DERIVED = (
    *("params", "covariance", "deviations", "correlation", "loglik", "aic", "bic"),
    *("converged", "message", "n_iter", "fingerprint"),
)


def assert_same(a: object, b: object, name: str) -> None:
    assert type(a) is type(b), name
    if isinstance(a, np.ndarray):
        assert (a.dtype, a.shape) == (b.dtype, b.shape), name
        assert a.tobytes() == b.tobytes(), name
    elif isinstance(a, Structure):
        assert (repr(a), a.d, a.size) == (repr(b), b.d, b.size)
    else:
        assert repr(a) == repr(b), name  # repr is exact for floats, and NaN equals itself


def assert_same_fit(a: mg.Fit, b: mg.Fit) -> None:
    for name in (*({f.name for f in dataclasses.fields(mg.Fit)} - OF_THE_ROWS), *DERIVED):
        assert_same(getattr(a, name), getattr(b, name), name)
    assert a.trace == b.trace
    assert a.distribution.entropy() == b.distribution.entropy()


def through_file(fit: mg.Fit, path: Path, structures: tuple[type[Structure], ...] = ()) -> mg.Fit:
    fit.save(path)
    return mg.load(path, structures=structures)


def fit_of(case: Case, rng: np.random.Generator, **options: object) -> mg.Fit:
    with warnings.catch_warnings():
        for kind in (mg.ConvergenceWarning, mg.NotIdentifiedWarning, mg.DataWarning):
            warnings.simplefilter("ignore", kind)
        return mg.fit(case.rows(5 * case.d + 20, rng), case.structure, **options)


def own(case: Case) -> tuple[type[Structure], ...]:
    """The structures that ``mg.load`` must be told of."""
    name = type(case.structure).__name__
    return () if name in mg.__all__ else (type(case.structure),)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.safetensors"


@pytest.fixture
def fit(rng: np.random.Generator) -> mg.Fit:
    return mg.fit(rng.normal(size=(30, 3)), method="l-bfgs")


# Round trips


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_fit_comes_back_bit_for_bit(case, path, rng):
    fit = fit_of(case, rng, max_iter=FEW)
    assert_same_fit(through_file(fit, path, own(case)), fit)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_iterated_fit_comes_back_with_its_trace(case, path, rng):
    fit = fit_of(case, rng, method="l-bfgs", max_iter=FEW)
    assert len(fit.trace) > 0
    assert_same_fit(through_file(fit, path, own(case)), fit)


@pytest.mark.parametrize("case", [case for case in CASES if case.d <= 3], ids=str)
def test_pickle_and_copies_are_the_same_fit(case, rng):
    fit = fit_of(case, rng, max_iter=FEW)
    assert_same_fit(pickle.loads(pickle.dumps(fit)), fit)
    assert_same_fit(copy.deepcopy(fit), fit)
    assert_same_fit(copy.copy(fit), fit)


def test_every_field_of_a_fit_is_in_the_file(fit, path):
    fit.save(path)
    written = set(document_of(path)) | set(arrays_of(path))
    missing = {field.name for field in dataclasses.fields(mg.Fit)} - written
    at_default = {"n_starts", "not_identified", "coefficients", "design_names"}
    at_default |= {"penalty", "prior", "saturated", "weights_kind"}
    # and "params" for "given_params", the Nones
    assert missing == {"given_params", *modelfile.OPTIONAL, *OF_THE_ROWS, *at_default}


@pytest.mark.parametrize("status", Status)
def test_every_status_comes_back(fit, path, status):
    assert through_file(dataclasses.replace(fit, status=status), path).status is status


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -0.0, 5e-324, 0.1, 1.8e308 / 1.01])
def test_every_float_comes_back(fit, path, value):
    odd = dataclasses.replace(fit, curvature=value, optimality=value, seconds=value)
    assert_same_fit(through_file(odd, path), odd)


def test_a_trace_comes_back_whatever_is_in_it(fit, path):
    steps = (Step(0, np.nan, np.inf, -0.0, 2**52, 1e-9), Step(1, 1.5, 0.1, 2.0, 2**53 - 1, 0.1))
    for trace in (Trace(steps), Trace(())):
        odd = dataclasses.replace(fit, trace=trace)
        assert repr(through_file(odd, path).trace) == repr(trace)


@pytest.mark.parametrize("name", ["größe", "", 'a"b\\', "a\nb\0", "𝛬", "\ud800", "=cmd()"])
def test_every_column_name_comes_back(fit, path, name):
    odd = dataclasses.replace(fit, columns=(name, "b", "c"), warnings=(name,))
    assert through_file(odd, path).columns == (name, "b", "c")


def test_optional_arrays_come_back(fit, path, rng):
    full = dataclasses.replace(
        fit,
        factor=rng.normal(size=(3, 1)),
        noise=np.array([1.0, 2.0, 3.0]),
        coefficients=rng.normal(size=(2, 3)),
        design_names=(("one", "age"),),
        factor_correlation=np.eye(1),
    )
    for name in (*modelfile.OPTIONAL, "coefficients"):
        assert_same(getattr(through_file(full, path), name), getattr(full, name), name)


def test_arrays_of_a_loaded_fit_are_read_only(fit, path):
    loaded = through_file(fit, path)
    assert not any(a.flags.writeable for a in (loaded.mean, loaded.factor, loaded.params))


def test_a_column_major_factor_is_written_by_its_values(fit, path):
    odd = dataclasses.replace(fit, factor=np.asfortranarray(fit.factor))
    assert np.array_equal(through_file(odd, path).factor, fit.factor)


def test_the_file_is_safetensors_to_others(fit, path):
    from safetensors.numpy import load_file

    fit.save(path)
    assert np.array_equal(load_file(path)["factor"], fit.factor)


def test_a_loaded_fit_starts_another(fit, path, rng):
    X = rng.normal(size=(40, 3))
    loaded = through_file(fit, path)
    assert np.isclose(mg.fit(X, start=loaded, method="bfgs").nll, mg.fit(X).nll, rtol=1e-10)


# Structures of one's own


class Shaped(Structure):
    """S = exp(θ)·M, with arguments of every kind."""

    def __init__(self, shape, inside=None, options=(), flag=False, limit=np.inf, word="x"):
        self.shape, self.inside, self.options = np.asarray(shape, dtype=float), inside, options
        self.flag, self.limit, self.word = flag, limit, word

    @property
    def size(self):
        return 1

    def cov(self, theta):
        return np.exp(theta[0]) * self.shape

    def push(self, theta, v):
        return v[0] * self.cov(theta)

    def pull(self, theta, score):
        return np.array([(score.dense() * self.cov(theta)).sum()])

    def start(self, S):
        return np.log(np.array([np.trace(np.linalg.solve(self.shape, S)) / len(S)]))

    def rescale(self, theta, T):
        return theta + 2.0 * np.log(T[0])

    def describe(self):
        arguments = ("shape", "inside", "options", "flag", "limit", "word")
        return {name: getattr(self, name) for name in arguments}


SHAPE = np.array([[2.0, 0.5], [0.5, 1.0]])


@pytest.fixture
def shaped_fit(fit) -> mg.Fit:
    structure = Shaped(
        SHAPE,
        inside=mg.Factor(4).sized(2),
        options=[1, [2.5, np.nan], None, "a", np.array([True, False]), np.arange(3)],
        flag=True,
        limit=-np.inf,
    ).sized(2)
    return dataclasses.replace(
        fit,
        mean=np.zeros(2),
        columns=("a", "b"),
        structure=structure,
        given_params=np.array([0.5]),
        factor=structure.factor(np.array([0.5])),
        grounds=None,
    )


def test_a_structure_of_ones_own_comes_back_with_its_arguments(shaped_fit, path):
    loaded = through_file(shaped_fit, path, (Shaped,)).structure
    assert type(loaded) is Shaped
    assert np.array_equal(loaded.shape, SHAPE)
    assert (loaded.flag, loaded.limit, loaded.word, loaded.d) == (True, -np.inf, "x", 2)
    assert (repr(loaded.inside), loaded.inside.d) == ("Factor(k=4)", 2)
    assert repr(loaded.options) == repr(shaped_fit.structure.options)


def test_a_structure_of_ones_own_must_be_named(shaped_fit, path):
    shaped_fit.save(path)
    with pytest.raises(mg.ModelFileError, match=r"'Shaped' is unknown.*structures=\[TheClass\]"):
        mg.load(path)


def test_an_argument_that_no_file_can_hold_is_refused_when_saving(shaped_fit, path):
    shaped_fit.structure.word = object()
    with pytest.raises(mg.ModelFileError, match=r"structure\.word is a object"):
        shaped_fit.save(path)
    assert not path.exists()


def test_a_structure_that_describes_itself_wrongly_is_refused_when_saving(shaped_fit, path):
    shaped_fit.structure.describe = lambda: {"shape": SHAPE, "unknown": 1}
    with pytest.raises(mg.ModelFileError, match=r"Shaped cannot be made from.*unknown"):
        shaped_fit.save(path)
    assert list(path.parent.iterdir()) == []


# Moments


@pytest.mark.parametrize("frame", ["diagonal", "full"])
@pytest.mark.parametrize("d", [1, 2, 7])
def test_moments_come_back_bit_for_bit(frame, d, path, rng):
    X = rng.normal(size=(50, d)) @ rng.normal(size=(d, d)) + 1e6
    moments = mg.Moments.of(X, rng.uniform(size=50), frame)
    moments.save(path)
    loaded = mg.Moments.load(path)
    for name in ("weight", "n_obs", "center", "spread", "mean", "scatter", "cov"):
        assert_same(getattr(loaded, name), getattr(moments, name), name)
    assert loaded.frame.equals(moments.frame)
    assert (loaded + loaded).n_obs == 100


def test_a_fit_is_no_moments_and_moments_are_no_fit(fit, path, rng):
    fit.save(path)
    with pytest.raises(mg.ModelFileError, match=r"holds fit.*mvngrad\.load"):
        mg.Moments.load(path)
    mg.Moments.of(rng.normal(size=(9, 2))).save(path)
    with pytest.raises(mg.ModelFileError, match=r"holds moments.*Moments\.load"):
        mg.load(path)


# No code from a file


def test_neither_saving_nor_loading_runs_pickle(fit, path, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("pickle was asked")

    for name in ("load", "loads", "dump", "dumps", "Unpickler", "Pickler"):
        monkeypatch.setattr(pickle, name, refuse)
    for name in ("load", "save"):
        monkeypatch.setattr(np, name, refuse)
    assert_same_fit(through_file(fit, path), fit)
