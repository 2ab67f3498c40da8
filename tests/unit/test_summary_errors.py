"""Standard errors in the summary: one table of estimates, said as text, HTML and a dataframe."""

import pickle
import re
import sys
import warnings
from html.parser import HTMLParser

import numpy as np
import pytest
from scipy.stats import norm

import mvngrad as mg
from mvngrad.errors import DataError
from mvngrad.fitting import spread as spreads
from mvngrad.fitting.listing import FIELDS
from mvngrad.fitting.numbers import digits_of_error
from mvngrad.fitting.plaintext import PlainTable
from mvngrad.fitting.spread import spread_of
from mvngrad.fitting.summary import summarise

PATTERN = np.array([[np.nan, 0.0]] * 3 + [[0.0, np.nan]] * 3)


def rows_of(rng, n=200, d=4):
    return rng.normal(size=(n, 1)) + rng.normal(size=(n, d)) + np.arange(d)


def two_factors(rng, n=300):
    F = rng.normal(size=(n, 2)) @ [[1.0, 0.4], [0.0, 0.9]]
    return F @ np.kron(np.eye(2), np.ones((3, 1))).T + rng.normal(size=(n, 6))


def kinds_of_fit(rng):
    X, z = rows_of(rng), rng.normal(size=200)
    one = np.column_stack([np.ones(200), z])
    holed = np.where(rng.random(X.shape) < 0.1, np.nan, X)
    yield "full", mg.fit(X)
    yield "holes", mg.fit(holed)
    yield "ar1", mg.fit(X, "ar1")
    yield "known mean", mg.fit(X, mean=np.arange(4.0))
    yield "shared design", mg.fit(X, mean=mg.Linear(one, names=["one", "z"]))
    yield "own designs", mg.fit(X[:, :2], mean=mg.Linear([one, one[:, :1]]))
    yield "growth", mg.fit(X, mean=mg.Linear(np.broadcast_to(np.eye(4)[:, :2], (200, 4, 2))))
    yield "factors", mg.fit(two_factors(rng), mg.FactorAnalytic(2))
    yield "pattern", mg.fit(two_factors(rng), mg.FactorAnalytic(pattern=PATTERN, correlated=True))
    yield "many complete", mg.fit(rows_of(rng, 400, 30))


@pytest.fixture(scope="module")
def fits():
    return dict(kinds_of_fit(np.random.default_rng(11)))


NAMES = (
    "full", "holes", "ar1", "known mean", "shared design", "own designs", "growth", "factors",
    "pattern", "many complete",
)  # fmt: skip


def entries(values, block, *, trailing=()):
    """Entries of an attribute in the order of the frame, written out once more."""
    if isinstance(values, list):
        return np.concatenate(values)
    values = np.asarray(values)
    if block in ("coefficients", "factor") and values.ndim == 2 + len(trailing):
        return np.concatenate([values[:, j] for j in range(values.shape[1])])
    if block in ("covariance", "correlation", "factor_correlation"):
        first = 0 if block == "covariance" else 1
        return np.concatenate([values[i, i + first :] for i in range(len(values))])
    return values


# The frame


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("level", "kind"), [(0.95, None), (0.8, "sandwich")])
def test_the_frame_is_errors_and_intervals_entry_by_entry(fits, name, level, kind):
    fit = fits[name]
    frame = fit.summary(level, kind).to_frame()
    errors, intervals = fit.standard_errors(kind), fit.conf_int(level, kind=kind)
    assert tuple(frame.columns) == FIELDS
    assert frame.index.names == ["block", "name"]
    for block in dict.fromkeys(frame.index.get_level_values("block")):
        own = frame.loc[block]
        np.testing.assert_array_equal(own.estimate, entries(getattr(fit, block), block))
        np.testing.assert_array_equal(own.std_err, entries(getattr(errors, block), block))
        ends = entries(getattr(intervals, block), block, trailing=(2,))
        np.testing.assert_array_equal(own[["lower", "upper"]], ends)


@pytest.mark.parametrize("name", NAMES)
def test_z_is_the_estimate_over_its_error_and_p_its_two_tails(fits, name):
    frame = fits[name].summary().to_frame()
    asked = frame.z.notna()
    np.testing.assert_allclose(frame.z[asked], (frame.estimate / frame.std_err)[asked])
    np.testing.assert_allclose(frame.pvalue[asked], 2 * norm.sf(frame.z[asked].abs()))
    assert frame.pvalue[~asked].isna().all()
    variances = frame.index.get_level_values("block").isin(["deviations", "noise"])
    pairs = frame.index.get_level_values("name").str.split(", ")
    of_itself = [len(p) == 2 and p[0] == p[1] for p in pairs]
    untested = variances | of_itself | ~(frame.std_err > 0)
    np.testing.assert_array_equal(~asked, untested)


@pytest.mark.parametrize("name", NAMES)
def test_intervals_hold_the_estimates_and_grow_with_the_level(fits, name):
    narrow = fits[name].summary(0.5).to_frame()
    wide = fits[name].summary(0.99).to_frame()
    there = narrow.std_err > 0
    for frame in (narrow, wide):
        assert (frame.lower[there] < frame.estimate[there]).all()
        assert (frame.estimate[there] < frame.upper[there]).all()
    assert ((wide.upper - wide.lower) > (narrow.upper - narrow.lower))[there].all()
    fixed = narrow.std_err == 0
    assert (narrow.lower[fixed] == narrow.estimate[fixed]).all()


def test_every_quantity_of_the_fit_is_a_block(fits):
    blocks = {
        name: set(fit.to_frame("estimates").index.get_level_values(0)) for name, fit in fits.items()
    }
    common = {"mean", "deviations", "covariance", "correlation"}
    assert blocks["full"] == blocks["known mean"] == common
    assert blocks["shared design"] == blocks["own designs"] == common | {"coefficients"}
    assert blocks["factors"] == common | {"factor", "noise"}
    assert blocks["pattern"] == common | {"factor", "noise", "factor_correlation"}


@pytest.mark.parametrize("name", NAMES)
def test_estimates_is_the_frame_of_the_summary(fits, name):
    import pandas as pd

    pd.testing.assert_frame_equal(fits[name].to_frame("estimates"), fits[name].summary().to_frame())


def test_names_in_the_frame(fits):
    frame = fits["shared design"].to_frame("estimates")
    beta = fits["shared design"].coefficients
    assert frame.loc[("coefficients", "x3, z"), "estimate"] == beta[1, 2]
    assert frame.loc[("correlation", "x1, x3"), "estimate"] == pytest.approx(
        fits["shared design"].correlation[0, 2]
    )
    frame = fits["pattern"].to_frame("estimates")
    assert frame.loc[("factor", "x4, f2"), "estimate"] == fits["pattern"].factor[3, 1]
    assert frame.loc[("factor", "x4, f1"), "std_err"] == 0.0


# The text


def cells_of(table):
    return {row[0].strip(): row[1:] for row in table.rows}


def agree(said, value, error):
    """A number in words is the number, to the hundredth part of its error."""
    return float(said) == pytest.approx(value, abs=0.03 * error)


@pytest.mark.parametrize("name", ["full", "holes", "ar1", "many complete"])
def test_means_and_deviations_stand_with_their_errors(fits, name):
    fit = fits[name]
    table = summarise(fit).tables[0]
    assert table.header == ("column", "mean", "std err", "[0.025", "0.975]", "sd", "std err")
    errors, ends = fit.standard_errors(), fit.conf_int()
    for j, column in enumerate(fit.columns):
        mean, se, low, high, sd, sd_se = cells_of(table)[column]
        assert agree(mean, fit.mean[j], errors.mean[j])
        assert agree(se, errors.mean[j], errors.mean[j])
        assert agree(low, ends.mean[j, 0], errors.mean[j])
        assert agree(high, ends.mean[j, 1], errors.mean[j])
        assert agree(sd, fit.deviations[j], errors.deviations[j])
        assert agree(sd_se, errors.deviations[j], errors.deviations[j])


def test_the_level_names_the_ends():
    said = str(mg.fit(rows_of(np.random.default_rng(0))).summary(0.999))
    assert "[0.0005" in said
    assert "0.9995]" in said


def test_a_known_mean_is_fixed(fits):
    table = summarise(fits["known mean"]).tables[0]
    assert [row[2:5] for row in table.rows] == [("fixed", "", "")] * 4
    assert [float(row[1]) for row in table.rows] == [0.0, 1.0, 2.0, 3.0]


def test_coefficients_are_listed_column_by_column(fits):
    fit = fits["shared design"]
    table = next(t for t in summarise(fit).tables if t.title == "Coefficients")
    names = [row[0] for row in table.rows]
    assert names == [w for c in fit.columns for w in (c, "  one", "  z")]
    se = fit.standard_errors().coefficients
    for j in range(4):
        for i in range(2):
            row = table.rows[3 * j + 1 + i]
            assert agree(row[1], fit.coefficients[i, j], se[i, j])
            assert agree(row[2], se[i, j], se[i, j])
            assert float(row[3]) == pytest.approx(fit.coefficients[i, j] / se[i, j], abs=0.005)


def test_many_coefficients_are_shown_side_by_side_and_errors_are_elsewhere(rng):
    Z = np.column_stack([np.ones(300), rng.normal(size=(300, 10))])
    fit = mg.fit(rng.normal(size=(300, 5)), mean=mg.Linear(Z))
    said = summarise(fit)
    table = next(t for t in said.tables if t.title == "Coefficients")
    assert table.header[1:] == fit.columns
    assert any("fit.to_frame('estimates')" in note for note in said.notes)


def test_loadings_stand_with_errors_and_fixed_ones_say_so(fits):
    fit = fits["pattern"]
    table = next(t for t in summarise(fit).tables if t.title.startswith("Loadings"))
    assert table.header == ("", "f1", "std err", "f2", "std err", "uniqueness", "std err")
    assert [row[4] for row in table.rows[:3]] == ["fixed"] * 3
    errors = fit.standard_errors()
    found = cells_of(table)["x5"]
    assert float(found[3]) == pytest.approx(errors.loadings[4, 1], abs=5e-4)
    assert float(found[5]) == pytest.approx(errors.communalities[4], abs=5e-4)
    pairs = next(t for t in summarise(fit).tables if t.title == "Correlations of the factors")
    assert pairs.rows[0][:2] == ("f1", "f2")
    assert float(pairs.rows[0][3]) == pytest.approx(errors.factor_correlation[0, 1], abs=5e-4)


@pytest.mark.parametrize("scale", ["variance", "marker"])
def test_errors_of_loadings_at_unit_variance_are_those_of_standardized_data(rng, scale):
    P = PATTERN.copy()
    if scale == "marker":
        P[0, 0] = P[3, 1] = 1.0
    model = mg.FactorAnalytic(pattern=P, correlated=True, scale=scale)
    X = two_factors(rng) * [1, 5, 2, 1, 1, 9]
    fit = mg.fit(X, model)
    S = fit.covariance
    small, s = 1e-4, np.sqrt(np.diag(S))

    # By the delta method from cov_params, with differences of the whole map θ → Λ√Φ/s.
    def loadings(theta):
        form = model.sized(6).loaded(theta)
        scaled = form.factor * np.sqrt(np.diag(form.factor_covariance))
        return (scaled / np.sqrt(np.diag(model.sized(6).cov(theta)))[:, None]).ravel()

    p = fit.params
    steps = small * np.maximum(np.abs(p), 1.0)
    pairs = zip(np.diag(steps), steps, strict=True)
    J = np.array([(loadings(p + h) - loadings(p - h)) / (2 * k) for h, k in pairs]).T
    V = fit.cov_params()[6:, 6:]
    found = fit.standard_errors().loadings
    np.testing.assert_allclose(found.ravel(), np.sqrt(np.diag(J @ V @ J.T)), atol=1e-6)
    np.testing.assert_allclose(
        loadings(p).reshape(6, 2), fit.factors.standardize().loadings, atol=1e-12
    )
    assert s.max() > 5


def test_rotated_loadings_stand_without_errors(fits):
    said = summarise(fits["factors"], rotation="varimax")
    table = next(t for t in said.tables if t.title.startswith("Loadings"))
    assert "std err" not in table.header
    assert any("otated loadings" in note for note in said.notes)


def test_an_edge_is_called_one(rng):
    X = rng.normal(size=(40, 4))
    X[:, 1] = X[:, 0] + 0.02 * X[:, 1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = mg.fit(X, mg.FactorAnalytic(1))
    assert fit.heywood
    said = summarise(fit)
    table = next(t for t in said.tables if t.title.startswith("Loadings"))
    edges = {row[0] for row in table.rows if row[-1] == "edge"}
    assert edges == set(fit.heywood)
    assert any('"edge"' in note for note in said.notes)
    frame = fit.to_frame("estimates")
    assert frame.loc[("noise", fit.heywood[0]), "std_err":].isna().all()


def test_what_the_data_do_not_tell_is_called_that(rng):
    X = rows_of(rng, 200, 3)
    X[:100, 0] = X[100:, 1] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mg.NotIdentifiedWarning)
        fit = mg.fit(X)
    said = summarise(fit)
    pairs = {row[:2]: row[3] for row in said.tables[-1].rows}
    assert pairs["x1", "x2"] == "not told"
    assert float(pairs["x1", "x3"]) > 0
    assert any('"not told"' in note for note in said.notes)
    assert not any('"edge"' in note for note in said.notes)


@pytest.mark.parametrize("name", NAMES)
def test_no_line_is_wider_than_the_page(fits, name):
    said = str(fits[name].summary())
    assert max(map(len, said.splitlines())) <= 100
    assert all(line == line.rstrip() for line in said.splitlines())
    assert not re.search(r"\bnan\b", said)


def test_pairs_of_columns_are_not_torn_apart():
    table = PlainTable("", ("", *["1234567", "std err"] * 3), (("x", *["1.0"] * 6),), together=2)
    for width in range(10, 70):
        pieces = list(table.blocks(width))
        assert [len(piece.header) - 1 for piece in pieces] in ([2, 2, 2], [4, 2], [6], [1] * 6)
        assert (len(pieces) == 6) == (width < 19)


def test_errors_have_two_digits_or_three():
    assert [digits_of_error(x) for x in (0.1, 0.399, 0.4, 9.99, 312.0)] == [3, 3, 2, 2, 3]


def test_each_kind_is_named(fits):
    fit = fits["full"]
    for kind, words in (("observed", "observed information"), ("expected", "expected information"),
                        ("sandwich", "sandwich")):  # fmt: skip
        assert words in str(fit.summary(kind=kind))
    assert "dependence in clusters" in str(fit.summary(clusters=np.arange(200) // 2))


def test_clusters_are_a_sandwich(fits):
    fit, labels = fits["full"], np.arange(200) // 2
    frame = fit.summary(clusters=labels).to_frame()
    errors = fit.standard_errors("sandwich", clusters=labels)
    np.testing.assert_array_equal(frame.loc["mean"].std_err, errors.mean)


def test_expected_errors_with_holes_say_what_they_assume(fits):
    said = " ".join(str(fits["holes"].summary(kind="expected")).split())
    assert "The expected information holds if no value" in said


# HTML


class Reader(HTMLParser):
    """Tables as lists of rows of (tag, attributes, text); fails on tags that do not match."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.rows, self.words, self.tags = [], [], [], set()

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.tags.add(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append((tag, dict(attrs), ""))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            tag, attrs, text = self.rows[-1][-1]
            self.rows[-1][-1] = tag, attrs, text + data
        elif data.strip():
            self.words.append(data)


def read_html(summary):
    reader = Reader()
    reader.feed(summary._repr_html_())
    reader.close()
    assert not reader.open
    return reader


@pytest.mark.parametrize("name", NAMES)
def test_html_says_what_the_text_says(fits, name):
    summary = fits[name].summary()
    found = read_html(summary)
    said = summarise(fits[name])
    texts = [[text for _, _, text in row if text] for row in found.rows]
    for table in said.tables:
        for row in (table.header, *table.rows):
            assert [cell.strip() for cell in row if cell.strip()] in texts
    flat = [text for row in texts for text in row]
    for fact in said.facts:
        assert fact[0] in flat
    assert [t.title for t in said.tables if t.title] == [w for w in found.words if w in
            {t.title for t in said.tables}]  # fmt: skip
    for note in said.notes:
        assert note in found.words


def test_html_is_made_of_tables_with_headers_and_nothing_else(fits):
    found = read_html(fits["shared design"].summary())
    assert found.tags <= {
        "div", "p", "strong", "small", "table", "caption", "thead", "tbody", "tr", "th", "td",
    }  # fmt: skip
    headers = [attrs for row in found.rows for tag, attrs, _ in row if tag == "th"]
    assert {attrs["scope"] for attrs in headers} == {"col", "row", "rowgroup"}
    assert all(row[0][0] == "th" or row[0][1] == {"colspan": "2"} for row in found.rows)
    sizes = [sum(int(attrs.get("colspan", 1)) for _, attrs, _ in row) for row in found.rows]
    titled = [k for k, row in enumerate(found.rows) if row[0][1].get("scope") == "col"]
    for begin, end in zip(titled, [*titled[1:], len(sizes)], strict=True):
        assert len(set(sizes[begin:end])) == 1


def test_names_are_escaped_and_cut(rng):
    names = ["<b>bold</b>", "a&b", '"Größe" 大', "n" * 80]
    fit = mg.fit(rows_of(rng), columns=names)
    summary = fit.summary()
    assert "<b>" not in summary._repr_html_()
    assert "&lt;b&gt;bold&lt;/b&gt;" in summary._repr_html_()
    found = {text for row in read_html(summary).rows for _, _, text in row}
    assert {"<b>bold</b>", "a&b", '"Größe" 大'} <= found
    assert "n" * 80 not in found
    assert max(map(len, str(summary).splitlines())) <= 100
    assert ("mean", "n" * 80) in summary.to_frame().index


# As an object


def test_what_a_prompt_shows_is_the_text(fits, capsys):
    summary = fits["full"].summary()
    sys.displayhook(summary)
    assert capsys.readouterr().out == str(summary)
    assert repr(summary) == str(summary).rstrip("\n")
    assert str(pickle.loads(pickle.dumps(summary))) == str(summary)


# Where there are none


def without_errors(fit, words):
    text = str(fit.summary())
    assert "std err" not in text
    assert words in " ".join(text.split())
    frame = fit.summary().to_frame()
    np.testing.assert_array_equal(frame.loc["mean"].estimate, fit.mean)
    return frame


def test_a_loaded_fit_says_that_it_has_no_data(fits, tmp_path):
    for name in ("full", "factors", "shared design"):
        fits[name].save(tmp_path / "model.safetensors")
        frame = without_errors(
            mg.load(tmp_path / "model.safetensors"), "No standard errors: this fit came from a"
        )
        assert frame.iloc[:, 1:].isna().all(axis=None)


def test_a_fit_that_has_not_converged_has_none(rng):
    X = rng.normal(size=(200, 5)) @ rng.normal(size=(5, 5))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = mg.fit(X, method="gradient-descent", max_iter=1)
    frame = without_errors(fit, "the fit has not converged")
    assert frame.std_err.isna().all()


def test_a_large_model_says_how_to_get_them(rng):
    fit = mg.fit(rows_of(rng, 300, 26), mg.FactorAnalytic(1))
    frame = without_errors(
        fit, "with 26 columns and 300 rows they take longer than the fit; fit.su"
    )
    np.testing.assert_array_equal(frame.loc["mean"].std_err, fit.standard_errors().mean)
    assert "std err" in str(fit.summary(kind="observed"))


def test_many_patterns_are_many_sums(rng, monkeypatch):
    X = rows_of(rng)
    fit = mg.fit(np.where(rng.random(X.shape) < 0.1, np.nan, X))
    assert spread_of(fit).errors is not None
    monkeypatch.setattr(spreads, "MOST_SUMS", 4**4 * len(fit.missing.patterns) - 1)
    assert spread_of(fit).errors is None
    assert spread_of(fit, at_any_cost=True).errors is not None


def test_moments_have_errors_but_no_sandwich(rng):
    fit = mg.fit(mg.Moments.of(rows_of(rng)))
    assert "std err" in str(fit.summary())
    text = " ".join(str(fit.summary(kind="sandwich")).split())
    assert "No standard errors: this needs the rows of the data" in text


def test_weights_of_a_sample_have_the_sandwich_and_no_criteria(rng):
    X = rows_of(rng)
    fit = mg.fit(X, "ar1", weights=rng.uniform(0.5, 2.0, 200), weights_kind="sampling")
    facts = dict(summarise(fit).facts)
    assert not {"AIC", "BIC", "Chi-square"} & facts.keys()
    assert facts["Weights"] == "of a sample"
    assert "by the sandwich" in str(fit.summary())


def test_data_that_were_changed_in_place_are_no_traceback(rng):
    X = rows_of(rng)
    fit = mg.fit(X, weights=np.ones(200), weights_kind="sampling")
    X += 5.0
    text = " ".join(str(fit.summary()).split())
    assert "No standard errors: the data given to fit are no longer those" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"level": 95}, "level must be between 0 and 1, as 0.95; got 95"),
        ({"kind": "robust"}, "kind must be 'observed', 'expected' or 'sandwich'; got 'robust'"),
        ({"kind": "observed", "clusters": [1]}, "clusters are for kind='sandwich'"),
        ({"clusters": [1, 2]}, r"clusters must be one label a row, \(200,\); got shape \(2,\)"),
    ],
)
def test_arguments_in_words(fits, arguments, words):
    with pytest.raises(DataError, match=words):
        fits["full"].summary(**arguments)
