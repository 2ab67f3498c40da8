"""What a fit says for itself: digits that mean something, tables that fit, frames that agree."""

import re
import sys
import warnings

import numpy as np
import pytest

import mvngrad as mg
from mvngrad.errors import DataError
from mvngrad.fitting.numbers import aligned, fixed, general, paired
from mvngrad.fitting.plaintext import PlainTable, as_text, fact_lines, parts, table_text
from mvngrad.fitting.summary import holes, summarise


def fitted(rng, d=3, n=200, **options):
    X = rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + np.arange(d)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mg.ConvergenceWarning)
        return mg.fit(X, **options)


def test_says_everything_once(rng):
    fit = fitted(rng)
    text = str(fit.summary())
    for fact in ("Rows", "Columns", "Log-likelihood", "AIC", "BIC", "Parameters", "Method"):
        assert text.count(fact) == 1
    assert f"{fit.loglik:.3f}" in text
    assert "converged" in text
    assert "closed-form" in text
    assert "divisor n = 200" in text
    assert "Warning" not in text
    assert all(line == line.rstrip() for line in text.splitlines())


def test_means_and_deviations_can_be_read_back(rng):
    fit = fitted(rng, d=5)
    rows = {row[0]: row[1:] for row in summarise(fit).tables[0].rows}
    for name, mean, deviation in zip(fit.columns, fit.mean, fit.deviations, strict=True):
        said = [float(rows[name][k]) for k in (0, 4)]
        assert said == pytest.approx([mean, deviation], abs=1e-3 * deviation)


def test_correlations_are_the_lower_triangle(rng):
    fit = fitted(rng, d=4)
    table = summarise(fit).tables[1]
    assert table.header == ("", "x1", "x2", "x3")
    assert [row[0] for row in table.rows] == ["x2", "x3", "x4"]
    for i, row in enumerate(table.rows, start=1):
        np.testing.assert_allclose(
            [float(r) for r in row[1 : i + 1]], fit.correlation[i, :i], atol=5e-4
        )
        assert not any(row[i + 1 :])


def test_many_columns_are_abbreviated(rng):
    fit = fitted(rng, d=60)
    said = summarise(fit)
    assert said.tables[0].rows[-1][0] == "… and 20 more"
    assert "\n… and 20 more\n" in str(fit.summary())
    assert said.tables[1].title == "The 15 strongest of 1770 correlations"
    i, j = np.tril_indices(60, -1)
    strongest = np.sort(np.abs(fit.correlation[i, j]))[::-1][:15]
    shown = [abs(float(row[2])) for row in said.tables[1].rows]
    np.testing.assert_allclose(shown, strongest, atol=5e-4)
    assert len(str(fit.summary()).splitlines()) < 90


@pytest.mark.parametrize("covariance", ["diagonal", "spherical"])
def test_no_correlations_where_the_model_has_none(rng, covariance):
    text = str(fitted(rng, covariance=covariance).summary())
    assert "Correlations" not in text
    assert re.search(rf"Covariance +{covariance}\b", text)


def test_one_column_and_another_structure(rng):
    assert "Correlations" not in str(fitted(rng, d=1).summary())
    assert repr(mg.Factor()) in str(fitted(rng, covariance=mg.Factor()).summary())


def test_not_converged_is_said_in_words(rng):
    fit = fitted(rng, d=6, method="gradient-descent", max_iter=1)
    text = str(fit.summary())
    assert "not converged (max iter)" in text
    assert f"Warning: {fit.warnings[0]}." in text


def test_weights_are_mentioned_where_they_are_not_rows(rng):
    X = rng.normal(size=(50, 2))
    assert "50 (total weight 25)" in str(mg.fit(X, weights=np.full(50, 0.5)).summary())


def test_missing_values_are_summed_up(rng):
    X = rng.normal(size=(50, 3))
    X[rng.random(X.shape) < 0.2] = np.nan
    X[4] = np.nan
    fit = mg.fit(X, n_starts=2, rng=0)
    facts = dict(summarise(fit).facts)
    share = np.isnan(X[~np.isnan(X).all(axis=1)]).mean()
    cells = holes(fit).cells
    assert facts["Missing"] == f"{cells} cells ({share:.1%}), {len(fit.missing.patterns)} patterns"
    assert facts["Maximum"] == "best of 2 starts, certified"
    assert facts["Rows"] == f"{fit.n_obs} and {fit.n_empty} empty"
    assert "numpy.cov" not in str(fit.summary())
    assert holes(fit).cells == fit.n_obs * 3 - fit.missing.counts.sum()


def test_a_few_missing_values_do_not_look_like_none(rng):
    X = rng.normal(size=(3000, 2))
    X[0, 0] = np.nan
    assert "Missing     1 cell (<0.1%), 2 patterns" in str(mg.fit(X).summary())


def test_fits_without_rows_say_nothing_of_missing_values(rng):
    fit = mg.fit(mg.Moments.of(rng.normal(size=(50, 2))))
    assert holes(fit) is None
    assert "Missing" not in str(fit.summary())


def test_warnings_are_wrapped(rng):
    said = summarise(fitted(rng, d=6, method="gradient-descent", max_iter=1))
    assert max(map(len, as_text(said, 40).split("Warning:")[1].splitlines())) <= 40


def test_long_and_odd_names_stay_on_their_line(rng):
    X = rng.normal(size=(30, 3))
    fit = mg.fit(X, columns=["n" * 80, "two\nlines", "Größe (cm)"])
    text = str(fit.summary())
    assert max(map(len, text.splitlines())) <= 100
    assert "two lines" in text
    assert "Größe (cm)" in text


def test_facts_are_in_one_column_where_two_are_too_wide():
    facts = (("Covariance", "c" * 60), ("Rows", "3"), ("AIC", "4"), ("Status", "s" * 30))
    narrow, wide = fact_lines(facts, 100).splitlines(), fact_lines(facts, 120).splitlines()
    assert [line.split()[0] for line in narrow] == ["Covariance", "Rows", "AIC", "Status"]
    assert len(wide) == 2
    assert wide[0].endswith("AIC     4")


@pytest.mark.parametrize("width", [1, 30, 60, 100, 1000])
def test_wide_tables_are_cut_into_blocks_that_fit(rng, width):
    table = summarise(fitted(rng, d=12)).tables[1]
    blocks = list(table.blocks(width))
    assert [name for block in blocks for name in block.header[1:]] == list(table.header[1:])
    widest = table.widths[0] + 2 + max(table.widths[1:])
    for block in blocks:
        assert max(map(len, table_text(block).splitlines()[1:])) <= max(width, widest)
        assert all(any(row[1:]) for row in block.rows)
    cells = [cell for row in table.rows for cell in row[1:] if cell]
    assert sorted(c for b in blocks for r in b.rows for c in r[1:] if c) == sorted(cells)


def test_a_table_with_nothing_but_names():
    table = PlainTable("t", ("a",), (("x",), ("y",)))
    assert [block.rows for block in table.blocks(10)] == [(("x",), ("y",))]


def test_parts_join_to_the_text(rng):
    said = summarise(fitted(rng), source="there.csv")
    assert "\n\n".join(words for _, words in parts(said, 100)) + "\n" == as_text(said)
    assert ("Data", "there.csv") in said.facts


@pytest.mark.parametrize(
    ("mean", "deviation", "words"),
    [
        (43.92193, 5.451596, ("43.922", "5.452")),
        (4201.754, 800.7812, ("4201.8", "800.8")),
        (1e6, 0.5, ("1000000.0000", "0.5000")),
        (-1e-9, 1.0, ("0.000", "1.000")),
        (0.0, 2.5, ("0.000", "2.500")),
        (929621.0, 944272.0, ("929621", "944272")),
        (929621858.0, 944272517.0, ("9.296e+08", "9.443e+08")),
        (3e-14, 9.466e-13, ("3.000e-14", "9.466e-13")),
        (1e12 + 0.5, 0.99, ("1.000000000000500e+12", "9.900e-01")),
    ],
)
def test_means_have_the_digits_that_the_deviation_gives_a_meaning(mean, deviation, words):
    said = paired(mean, deviation)
    assert [float(x) for x in said] == pytest.approx([mean, deviation], abs=6e-4 * deviation)
    assert said == words


def test_decimal_points_stand_under_one_another():
    said = aligned(["43.92", "1", "-2008.0292", "3.1e-14"])
    assert said == ["43.92   ", "1      ", "-2008.0292 ", "3.1e-14"]


def test_numbers_of_any_size():
    assert fixed(-5920.7324, 3) == "-5920.732"
    assert "e" in fixed(1.5e300, 3)
    assert general(342.0) == "342"
    assert general(12.345) == "12.345"


@pytest.mark.parametrize("what", ["covariance", "correlation"])
def test_frames_have_names_both_ways(rng, what):
    fit = fitted(rng)
    frame = fit.to_frame(what)
    assert list(frame.index) == list(frame.columns) == list(fit.columns)
    np.testing.assert_array_equal(frame.to_numpy(), getattr(fit, what))


def test_frames_of_mean_factor_and_trace(rng):
    fit = fitted(rng, method="gradient-descent")
    np.testing.assert_array_equal(fit.to_frame()["mean"], fit.mean)
    np.testing.assert_array_equal(fit.to_frame("factor"), fit.factor)
    assert list(fit.to_frame("factor").columns) == ["f1", "f2", "f3"]
    trace = fit.to_frame("trace")
    assert len(trace) == len(fit.trace)
    assert list(trace["nll"]) == [step.nll for step in fit.trace.steps]


def test_frames_of_nothing_known(rng):
    with pytest.raises(DataError, match=r"what must be one of 'mean'.*got 'bse'"):
        fitted(rng).to_frame("bse")


def test_frames_without_pandas(rng, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install pandas"):
        fitted(rng).to_frame("mean")


def test_a_pair_keeps_both_names_where_its_table_is_cut(rng):
    fit = mg.fit(rng.normal(size=(60, 3)), columns=[f"{c}{'_long' * 6}" for c in "abc"])
    text = str(fit.summary())
    assert max(map(len, text.splitlines())) <= 100
    pieces = [p for p in text.split("\n\n") if re.match(r"(Correlations\n)?column +with", p)]
    assert len(pieces) == 2
    names = [[line.split()[:2] for line in p.splitlines()[-3:]] for p in pieces]
    assert names[0] == names[1]
    assert "0.975]" in pieces[1]


@pytest.mark.parametrize("covariance", ["full", "diagonal", "ar1"])
def test_the_second_column_of_facts_begins_with_the_likelihood(rng, covariance):
    said = fitted(rng, d=4, covariance=covariance).summary().said
    beside = [name for name, _ in said.facts][said.left :]
    assert beside[0] == "Log-likelihood"
    assert re.search(r"^Rows .* Log-likelihood ", str(said), re.MULTILINE)
    assert re.search("Rows</th>.*Log-likelihood</th>", said._repr_html_())
    assert len(fact_lines(said.facts, 100, 1).splitlines()) == len(said.facts) - 1
    assert len(fact_lines(said.facts, 100, len(said.facts) - 1).splitlines()) == len(beside) + (
        said.left - 1
    )
