"""What entries of a pattern mean: one reading for Python and files, and refusals in words."""

import numpy as np
import pytest

import mvngrad as mg


@pytest.mark.parametrize("free", [np.nan, None, "nan", "NaN", "free", "*", " na ", "nan "])
def test_words_for_free(free):
    family = mg.FactorAnalytic(pattern=[[free, 0], [free, "0"], [0, free], ["0.0", free]])
    plain = np.array([[np.nan, 0], [np.nan, 0], [0, np.nan], [0, np.nan]])
    assert np.array_equal(family.pattern.given, plain, equal_nan=True)
    assert family.pattern.map.n_free == 4


def test_texts_that_are_numbers_are_numbers_and_others_labels():
    family = mg.FactorAnalytic(pattern=[["1"], ["a"], ["a"], ["1e-1"]])
    assert family.pattern.map.fixed.ravel().tolist() == [1.0, 0.0, 0.0, 0.1]
    assert family.pattern.map.label.ravel().tolist() == [-1, 0, 0, -1]


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ([[1.0, 2.0], [1.0]], "row 0 has 2 and row 1 has 1"),
        ([[""], ["a"]], r"got '' at \[0, 0\]"),
        ([["-"], ["a"]], r"got '-' at \[0, 0\]"),
        ([["inf"], ["a"]], r"got 'inf' at \[0, 0\]"),
        ([[np.inf], [1.0]], r"got inf at \[0, 0\]"),
        ([[True], [False]], r"got True at \[0, 0\].*np.where"),
        (np.ones((3, 2), dtype=bool), "got True"),
        ([1.0, 2.0], r"shape \(2,\)"),
        ([[[1.0]]], r"shape \(1, 1, 1\)"),
    ],
)
def test_what_is_no_pattern(pattern, words):
    with pytest.raises(mg.DataError, match=words):
        mg.FactorAnalytic(pattern=pattern)
