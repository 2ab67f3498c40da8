"""Sound safetensors files with the wrong things in them: no fit, no moments, and the reason why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mvngrad as mg
from modelfiles import arrays_of, document_of, file_of, refused

ROWS = np.array([[4.0, 1.0], [2.0, 7.0], [5.0, 3.0], [7.0, 4.0], [1.0, 9.0]])


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("good") / "fit.safetensors"
    mg.fit(ROWS, method="l-bfgs").save(path)
    return path


@pytest.fixture(scope="module")
def good_moments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("good") / "moments.safetensors"
    mg.Moments.of(ROWS, frame="full").save(path)
    return path


# Each change is made in place to the document and the arrays of a good file

Change = Callable[[dict[str, Any], dict[str, np.ndarray]], Any]


def field(**fields: Any) -> Change:
    return lambda document, _: document.update(fields)


def array(name: str, value: Any) -> Change:
    return lambda _, arrays: arrays.update({name: np.asarray(value)})


def structure(**fields: Any) -> Change:
    return lambda document, _: document["structure"].update(fields)


def nested(document: dict[str, Any], _: Any) -> None:
    for _ in range(400):
        document["structure"] = {
            "type": "Factor",
            "arguments": {"k": document["structure"]},
            "columns": 2,
        }


def without_params(document: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    del arrays["params"]
    document["structure"].update(type="Factor", arguments={"k": 10**12})


NAN2 = np.array([0.0, np.nan])
CHANGES: dict[str, tuple[Change, str]] = {
    "no schema": (lambda document, _: document.pop("schema"), "'schema' is missing"),
    "newer schema": (field(schema=2, written_by="9.1"), r"newer mvngrad .'9.1'.*upgrade"),
    "newer schema, all else changed": (
        lambda document, _: (document.clear(), document.update(schema=7)),
        "newer mvngrad",
    ),
    "schema 0": (field(schema=0), "schema is 0"),
    "schema in words": (field(schema="1"), "whole number"),
    "schema true": (field(schema=True), "whole number"),
    "kind unknown": (field(kind="chain"), "'chain'"),
    "kind of another": (field(kind="moments"), "Moments.load"),
    "a field more": (field(extra=1), "'extra' has no meaning"),
    "a field less": (lambda document, _: document.pop("nll"), "'nll' is missing"),
    "status unknown": (field(status="GREAT"), "'GREAT' is none of"),
    "status by value": (field(status="converged: the optimality test is met"), "none of"),
    "nll in words": (field(nll="12"), "not a number"),
    "nll null": (field(nll=None), "not a number"),
    "nll nan": (field(nll={"float": "nan"}), "nll must be finite"),
    "nll true": (field(nll=True), "not a number"),
    "nll beyond floats": (field(nll=10**400), "not a number"),
    "nll code": (field(nll={"float": "__import__('os')"}), "not a number"),
    "weight negative": (field(weight=-5.0), "weight"),
    "weight zero": (field(weight=0.0), "weight"),
    "weight infinite": (field(weight={"float": "inf"}), "weight"),
    "count negative": (field(n_obs=-1), "n_obs must be a whole"),
    "count fractional": (field(n_params=1.5), "n_params must be a whole"),
    "count beyond 64 bits": (field(n_eval=2**63), "n_eval must be a whole"),
    "columns none": (field(columns=[]), "columns"),
    "columns too few": (field(columns=["x1"]), "columns names 1"),
    "columns too many": (field(columns=["a", "b", "c"]), "columns names 3"),
    "columns no texts": (field(columns=["a", 2]), "list of texts"),
    "columns one text": (field(columns="ab"), "list of texts"),
    "warnings no list": (field(warnings={}), "list of texts"),
    "method no text": (field(method=["l-bfgs"]), "method must be text"),
    "trace of other columns": (field(trace=["iteration"]), "its trace must have"),
    "structure no object": (field(structure="Cholesky"), "a type, arguments"),
    "structure unknown": (structure(type="Mine"), r"structures=\[TheClass\]"),
    "structure a function": (structure(type="fit"), "unknown here"),
    "structure abstract": (structure(type="Structure"), "unknown here"),
    "structure private": (structure(type="__builtins__"), "unknown here"),
    "structure arguments unknown": (structure(arguments={"a": 1}), "cannot be made"),
    "structure arguments a list": (structure(arguments=[1]), "a type, arguments"),
    "structure of other columns": (structure(columns=3), "the structure has 3"),
    "structure of no columns": (structure(columns=None), "the structure has None"),
    "structure too narrow": (structure(type="Factor", arguments={"k": 1}), "cannot be made"),
    "structure too wide": (structure(type="Factor", arguments={"k": 10**15}), "must have shape"),
    "structure fractional": (structure(type="Factor", arguments={"k": 2.5}), "size of 5.0"),
    "structure with a word": (structure(type="Factor", arguments={"k": "2"}), "cannot be made"),
    "structure with a lost array": (
        structure(type="Factor", arguments={"k": {"array": "k"}}),
        "'k' is missing",
    ),
    "structure with an array for a number": (
        structure(type="Factor", arguments={"k": {"array": "mean"}}),
        "cannot be made",
    ),
    "params left out to be huge": (without_params, "'params' of length"),
    "structure in structure": (nested, "."),
    "mean missing": (lambda _, arrays: arrays.pop("mean"), "'mean' is missing"),
    "mean too long": (array("mean", np.zeros(3)), r"'mean' must have shape \(2,\)"),
    "mean a matrix": (array("mean", np.zeros((2, 1))), "'mean' must have shape"),
    "mean float32": (array("mean", np.zeros(2, np.float32)), "must hold F64"),
    "mean integer": (array("mean", np.zeros(2, np.int64)), "must hold F64"),
    "mean not finite": (array("mean", NAN2), "'mean' must be finite"),
    "factor too tall": (array("factor", np.eye(3)), "'factor' must have shape"),
    "factor flat": (array("factor", np.ones(4)), "'factor' must have shape"),
    "factor infinite": (array("factor", np.diag([1.0, np.inf])), "must be finite"),
    "factor narrow": (array("factor", np.ones((2, 1))), "lower-triangular"),
    "factor empty": (array("factor", np.ones((2, 0))), "lower-triangular"),
    "factor upper": (array("factor", [[1.0, 1.0], [0.0, 1.0]]), "lower-triangular"),
    "factor negative": (array("factor", np.diag([1.0, -1.0])), "positive diagonal"),
    "factor zero": (array("factor", np.zeros((2, 2))), "positive diagonal"),
    "params too short": (array("params", np.zeros(2)), "'params' must have shape"),
    "params not finite": (array("params", [0.0, 0.0, np.nan]), "'given_params' must be finite"),
    "noise not finite": (array("noise", NAN2), "'noise' must be finite"),
    "noise negative": (array("noise", [1.0, -1.0]), "noise must not be negative"),
    "noise too long": (array("noise", np.ones(3)), "noise must have shape"),
    "noise integer": (array("noise", np.zeros(2, np.int64)), "must hold F64"),
    "trace flat": (array("trace", np.zeros(6)), "'trace' must have shape"),
    "trace narrow": (array("trace", np.zeros((1, 5))), "'trace' must have shape"),
    "trace in fractions": (array("trace", np.full((1, 6), 0.5)), "in fractions"),
    "trace without counts": (array("trace", np.full((1, 6), np.nan)), "in fractions"),
    "an array more": (array("extra", np.zeros(2)), "'extra' that has no meaning"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_fit_that_is_none_is_refused(name, good, tmp_path):
    change, reason = CHANGES[name]
    document, arrays = document_of(good), arrays_of(good)
    change(document, arrays)
    path = tmp_path / "bad.safetensors"
    path.write_bytes(file_of(document, arrays))
    refused(path, reason)


@pytest.mark.parametrize(
    "factor",
    [[[1.0, 2.0], [3.0, 6.0]], [[0.1, 0.3, 0.7], [0.2, 0.6, 1.4]], [[1.0, 0.0], [0.0, 0.0]]],
)
def test_a_factor_of_lower_rank_is_refused(factor, good, tmp_path):
    document, arrays = document_of(good), arrays_of(good)
    arrays["factor"] = np.array(factor)
    arrays["params"] = arrays["factor"].ravel()
    k = arrays["factor"].shape[1]
    document["structure"].update(type="Factor", arguments={"k": k})
    path = tmp_path / "bad.safetensors"
    path.write_bytes(file_of(document, arrays))
    refused(path, "full row rank")


MOMENTS: dict[str, tuple[Change, str]] = {
    "spread not square": (array("spread", np.zeros((2, 3))), "spread must be square"),
    "spread flat": (array("spread", np.zeros(2)), "'spread' must have shape"),
    "spread empty": (array("spread", np.zeros((0, 0))), "must have shape"),
    "spread not symmetric": (array("spread", [[1.0, 0.5], [0.0, 1.0]]), "symmetric"),
    "spread negative": (array("spread", np.diag([1.0, -1.0])), "no negative variance"),
    "spread not finite": (array("spread", np.diag([1.0, np.inf])), "'spread' must be finite"),
    "center too long": (array("center", np.zeros(3)), "'center' must have shape"),
    "origin not finite": (array("origin", NAN2), "origin and root must be finite"),
    "root singular": (array("root", np.diag([1.0, 0.0])), "positive diagonal"),
    "root upper": (array("root", [[1.0, 1.0], [0.0, 1.0]]), "lower-triangular"),
    "root too deep": (array("root", np.ones((2, 2, 2))), "'root' must have shape"),
    "root diagonal negative": (array("root", [1.0, -1.0]), "positive diagonal"),
    "root not finite": (array("root", NAN2), "origin and root must be finite"),
    "root missing": (lambda _, arrays: arrays.pop("root"), "'root' is missing"),
    "weight negative": (field(weight=-1.0), "weight must be finite"),
    "weight nan": (field(weight={"float": "nan"}), "weight must be finite"),
    "an array more": (array("mean", np.zeros(2)), "no meaning"),
    "a field more": (field(d=2), "no meaning"),
    "kind of another": (field(kind="fit"), r"mvngrad\.load"),
}


@pytest.mark.parametrize("name", MOMENTS)
def test_moments_that_are_none_are_refused(name, good_moments, tmp_path):
    change, reason = MOMENTS[name]
    document, arrays = document_of(good_moments), arrays_of(good_moments)
    change(document, arrays)
    path = tmp_path / "bad.safetensors"
    path.write_bytes(file_of(document, arrays))
    refused(path, reason, mg.Moments.load)
