"""Machines with factors, as estimators: collinear columns, tables that ask for factors, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import scale

from ebm import RBM, TableRBM
from ebm.monitors import Checkpoint
from ebm.units import Gaussian

LOADINGS = np.array([[1, 1, 1, 0.2, 0.5], [0.2, 0.5, -0.5, 1, 1]])


def collinear(n_rows=300, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n_rows, 2)) @ LOADINGS + 0.2 * rng.standard_normal((n_rows, 5))


def machine(n_factors=2, **settings):
    settings = {"n_components": 8, "batch_size": 20, "random_state": 0} | settings
    return RBM(visible=[("gaussian", 5)], n_factors=n_factors, **settings)


def test_factors_find_how_columns_depend_on_each_other():
    X = collinear()
    train, test = X[:200], X[200:]
    deviations = test - train.mean(axis=0)
    S = np.cov(train.T)
    quadratic = np.einsum("ij,ij->i", deviations @ np.linalg.inv(S), deviations)
    normal = -0.5 * (quadratic + np.linalg.slogdet(2 * np.pi * S)[1]).mean()
    without, found = (machine(n).fit(train).log_likelihood(test).mean() for n in (0, 2))
    assert found > without + 1.5
    assert found > normal - 0.2


def test_a_missing_column_is_predicted_from_those_it_depends_on():
    X = collinear()
    holes = X[200:].copy()
    holes[:, 2] = np.nan
    errors = []
    for n_factors in (0, 2):
        filled = machine(n_factors).fit(X[:200]).impute(holes)
        errors.append(np.sqrt(np.mean((filled[:, 2] - X[200:, 2]) ** 2)))
    assert errors[1] < 0.5  # the noise of a column is 0.2
    assert errors[1] < 0.8 * errors[0]


def test_factors_are_the_last_features():
    X = collinear()
    model = machine(n_iter=5).fit(X)
    assert model.components_.shape == (10, 5)
    assert model.transform(X).shape == (300, 10)
    assert len(model.get_feature_names_out()) == 10
    assert model.log_variance_hidden_.tolist() == [0, 0]
    again = RBM.from_parameters(
        model.components_,
        model.intercept_hidden_,
        model.intercept_visible_,
        log_variance_visible=model.log_variance_visible_,
        visible=[("gaussian", 5)],
        n_factors=2,
    )
    assert np.array_equal(again.transform(X), model.transform(X))
    assert again.log_likelihood(X) == pytest.approx(model.log_likelihood(X), abs=1e-9)


def test_samples_have_the_covariance():
    X = collinear()
    drawn = machine().fit(X).sample(4000, n_steps=300, random_state=0)
    R, found = np.corrcoef(X.T), np.corrcoef(drawn.T)
    assert np.abs(R - found).max() < 0.2


def test_learning_goes_on(tmp_path):
    X = collinear()
    whole = machine(n_iter=6).fit(X)

    def interrupt(report):
        if report.epoch == 3:
            raise KeyboardInterrupt

    half = machine(n_iter=6, callbacks=[Checkpoint(tmp_path / "half.npz"), interrupt])
    with pytest.warns(ConvergenceWarning, match="interrupted"):
        half.fit(X)
    assert not np.array_equal(whole.components_, half.components_)
    resumed = machine(n_iter=6).resume(tmp_path / "half.npz", X)
    assert np.array_equal(whole.components_, resumed.components_)
    one = machine().partial_fit(X[:40]).partial_fit(X[40:80])
    assert np.isfinite(one.log_likelihood(X)).all()


def test_single_precision_learns_the_same_law():
    X = collinear()
    found = machine().fit(X.astype(np.float32))
    assert found.components_.dtype == np.float32
    assert found.log_likelihood(X.astype(np.float32)).mean() == pytest.approx(
        machine().fit(X).log_likelihood(X).mean(), abs=0.3
    )


def test_settings_that_do_not_fit_are_refused():
    X = collinear()
    with pytest.raises(ValueError, match="n_factors=2 takes a list of groups"):
        RBM(4, visible="gaussian", n_factors=2).fit(X)
    with pytest.raises(ValueError, match="n_factors=6 are more than the 5 Gaussian columns"):
        machine(6).fit(X)
    with pytest.raises(ValueError, match="n_factors=1 takes Gaussian columns"):
        RBM(4, visible=[("bernoulli", 5)], n_factors=1).fit(X > 0)
    fixed = [(Gaussian(variance="unit"), 5)]
    with pytest.raises(ValueError, match="n_factors=1 takes Gaussian columns, whose variances"):
        RBM(4, visible=fixed, n_factors=1).fit(X)
    with pytest.raises(ValueError, match="optimizer: a machine with factors"):
        machine(optimizer="adam").fit(X)


def frame(n_rows=300):
    X = collinear(n_rows)
    table = pd.DataFrame(X, columns=list("abcde"))
    table["kind"] = np.where(X[:, 0] > 0, "up", "down")
    return table


def test_tables_ask_for_factors():
    table = frame()
    model = TableRBM(8, n_iter=20, random_state=0).fit(table)
    assert model.machine_.n_factors == 2
    assert model.transform(table).shape == (300, 10)
    assert len(model.get_feature_names_out()) == 10
    assert np.isfinite(model.log_likelihood(table)).all()
    assert TableRBM(8, n_factors=0, n_iter=2).fit(table).machine_.n_factors == 0
    assert TableRBM(8, n_iter=2, optimizer="adam").fit(table).machine_.n_factors == 0
    plain = pd.DataFrame(np.random.default_rng(0).standard_normal((200, 5)))
    assert TableRBM(8, n_iter=2).fit(plain).machine_.n_factors == 0


def test_tables_with_gaps_ask_for_factors_and_are_filled():
    table = frame()
    mask = np.random.default_rng(0).random(table.shape) < 0.2
    mask[:, 5] &= np.arange(300) % 2 == 0
    holes = table.mask(mask)
    errors = []
    for n_factors in (0, "auto"):
        model = TableRBM(20, n_factors=n_factors, random_state=0).fit(holes)
        filled = model.impute(holes)
        apart = (filled[list("abcde")] - table[list("abcde")]) / table[list("abcde")].std()
        errors.append(float(np.sqrt((apart.to_numpy()[mask[:, :5]] ** 2).mean())))
    assert model.machine_.n_factors == 2
    assert errors[1] < 0.8 * errors[0]
    drawn = model.sample(5, given={"a": 1.0}, n_steps=20)
    assert (drawn["a"] == 1.0).all()


def heavy_tails():
    """Rows of one factor with three degrees of freedom, and outliers eight deviations away."""
    rng = np.random.default_rng(0)
    shared = rng.standard_t(3, (200, 1)) * [1, 2, 1, 0.5, 1, 1]
    return scale(shared + 0.3 * rng.standard_normal((200, 6)))


@pytest.mark.parametrize("n_hidden", [4, 64, 256])
@pytest.mark.parametrize(
    ("rows", "loss"), [(scale(load_iris().data), 1.0), (heavy_tails(), 4.0)], ids=["iris", "heavy"]
)
def test_the_start_is_near_the_normal_law_with_any_number_of_hidden_units(rows, loss, n_hidden):
    """Hidden units that are made for few of them would leave rows far away 49 nats below on average."""
    _, log_det = np.linalg.slogdet(2 * np.pi * np.cov(rows.T, bias=True))
    normal = -0.5 * (log_det + rows.shape[1])
    groups = [("gaussian", rows.shape[1])]
    machine = RBM(n_hidden, visible=groups, n_factors=1, n_iter=0, random_state=0).fit(rows)
    assert machine.log_likelihood(rows).mean() > normal - loss
