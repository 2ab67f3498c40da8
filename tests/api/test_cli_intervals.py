"""``mvngrad fit --ci``: intervals from the profile of the likelihood, and from refits."""

import numpy as np
import pytest

import mvngrad as mg
from commandline import PENGUINS, strict

BODY = ["bill_length_mm", "bill_depth_mm"]
ASK = ("fit", PENGUINS, "--columns", ",".join(BODY))


@pytest.fixture(scope="module")
def fit():
    return mg.fit(PENGUINS, columns=BODY)


def means(document):
    return np.array(list(document["intervals"]["mean"].values()))


def test_profiles_are_the_library_s(mvngrad, fit):
    said = strict(mvngrad(*ASK, "--ci", "profile", "--level", "0.9", "--json")[1])
    assert said["intervals"]["method"] == "profile"
    assert np.allclose(means(said), fit.conf_int(0.9, "profile").mean)


def test_so_are_refits_with_a_seed(mvngrad, fit):
    asked = ("--ci", "bootstrap", "--n-boot", "40", "--seed", "3")
    said = strict(mvngrad(*ASK, *asked, "--json")[1])
    assert said["intervals"]["method"] == "bootstrap"
    assert np.allclose(means(said), fit.conf_int(method="bootstrap", n_boot=40, rng=3).mean)


@pytest.mark.parametrize(
    ("ci", "note"),
    [
        (("profile",), "Intervals are from the profile of the likelihood."),
        (("bootstrap", "--n-boot", "20"), "Intervals are percentiles of 20 bootstrap refits."),
    ],
)
def test_the_text_says_how_they_were_made(mvngrad, ci, note):
    code, out, _ = mvngrad(*ASK, "--ci", *ci)
    assert code == 0
    assert note in " ".join(out.split())


def test_exploratory_loadings_have_no_profile_and_everything_else_has(mvngrad):
    four = ("--columns", ",".join([*BODY, "flipper_length_mm", "body_mass_g"]))
    asked = ("--covariance", "factor:1", "--ci", "profile", "--json")
    intervals = strict(mvngrad("fit", PENGUINS, *four, *asked)[1])["intervals"]
    assert intervals["factors"]["loadings"] is None
    noise = np.array(list(intervals["factors"]["uniquenesses"].values()), dtype=float)
    assert (noise[:, 1] > noise[:, 0]).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--n-boot", "10"), "--n-boot is for --ci bootstrap"),
        (("--ci", "profile", "--se", "none"), "--ci profile is shown beside standard errors"),
        (("--ci", "jackknife"), "'jackknife' is not one of"),
        (
            ("--ci", "profile", "--weights", "year", "--weights-kind", "sampling"),
            "--ci profile is of the likelihood",
        ),
    ],
)
def test_what_does_not_go_together_is_said(mvngrad, options, message):
    code, out, err = mvngrad(*ASK, *options)
    assert (code, out) == (2, "")
    assert message in " ".join(err.split())


def test_refits_show_a_bar_to_whom_looks_on(monkeypatch, capsys):
    from mvngrad.cli.progress import Progress

    progress = Progress()
    monkeypatch.setattr(progress, "visible", True)
    progress.refit(10, 40)
    assert "[#######" in (said := capsys.readouterr().err)
    assert "10 of 40" in said
