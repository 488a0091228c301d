"""Values that overflow, are missing or are of the wrong kind: refused by the name that the caller knows, or told."""

import inspect
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

import ebm
from ebm import (
    BernoulliRBM,
    Checkpoint,
    EarlyStopping,
    GaussianRBM,
    HopfieldNetwork,
    MLPClassifier,
    MLPRegressor,
    ModernHopfieldNetwork,
    lattice,
)

X = np.random.RandomState(0).randint(0, 2, (12, 4)).astype(float)
PUBLIC = [getattr(ebm, name) for name in ebm.__all__]
ESTIMATORS = [x for x in PUBLIC if inspect.isclass(x) and hasattr(x, "fit")]


def takes(cls, method, argument):
    found = getattr(cls, method, None)
    return found is not None and argument in inspect.signature(found).parameters


OF_PATTERNS = [cls for cls in ESTIMATORS if takes(cls, "from_parameters", "patterns")]
OF_BETA = [cls for cls in ESTIMATORS if takes(cls, "free_energy", "beta")]
FORMS = [
    1e308,
    "word",
    X + 1j,
    X * 1e155,
    X * np.nan,
    [[1, 2], [3]],
    X[:0],
    X.astype("M8[s]"),
    np.zeros(X.shape, [("x", "f8"), ("y", "i4")]),
    np.random.default_rng(0),
]


def assert_named(error, argument, not_called):
    assert f"{argument}" in str(error.value)
    assert not any(f" {other} " in f" {error.value} " for other in not_called)


@pytest.mark.parametrize("form", range(len(FORMS)))
@pytest.mark.parametrize("cls", OF_PATTERNS)
def test_patterns_are_called_so(cls, form):
    with pytest.raises((ValueError, TypeError)) as error:
        cls.from_parameters(FORMS[form])
    assert_named(error, "patterns", ("X", "X:"))


@pytest.mark.parametrize("method", ["stability", "forget"])
@pytest.mark.parametrize("form", range(len(FORMS)))
def test_patterns_of_a_network_are_called_so(form, method):
    network = HopfieldNetwork(random_state=0).fit(X[:1])
    with pytest.raises((ValueError, TypeError)) as error:
        getattr(network, method)(FORMS[form])
    assert_named(error, "patterns", ("X", "X:"))


@pytest.mark.parametrize(
    "weights", ["word", range(4), -np.ones(12), np.zeros(12), np.full(12, 5e-324), [[1], [2, 3]]]
)
def test_weights_of_patterns_are_called_so(weights):
    with pytest.raises((ValueError, TypeError)) as error:
        ModernHopfieldNetwork.from_parameters(X, weights)
    assert_named(error, "weights", ("X", "sample_weight"))


@pytest.mark.parametrize("variant", ["softmax", "sparsemax", "entmax"])
@pytest.mark.parametrize(("dtype", "weight"), [(np.float64, 5e-324), (np.float32, 1e-40)])
def test_weights_whose_inverse_overflows_are_refused(variant, dtype, weight):
    network = ModernHopfieldNetwork(variant=variant, max_steps=1, beta=8.0)
    with pytest.raises(ValueError, match="sample_weight holds"):
        network.fit(np.eye(4, dtype=dtype), sample_weight=np.full(4, weight))
    least = np.full(4, np.sqrt(np.finfo(dtype).tiny), np.float64)
    network.fit(np.eye(4, dtype=dtype), sample_weight=least)
    assert np.isfinite(network.energy(X)).all()
    with pytest.raises(ValueError, match="sample_weight holds"):
        network.partial_fit(np.eye(4), sample_weight=np.full(4, weight))
    assert len(network.weights_) == 4
    network.weights_ = -least
    with pytest.raises(ValueError, match="weights_ holds"):
        network.energy(X)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("cls", OF_BETA)
def test_cold_free_energies_are_those_of_no_temperature(cls, dtype):
    # So few rows have no finite maximum of the pseudo-likelihood.
    finite = {"gradient": "pcd"} if cls.__name__ == "BoltzmannMachine" else {}
    # The hidden layers of a deep machine have to be few units to be summed out.
    finite |= {"layers": [3, 2], "n_iter": 2} if cls.__name__ in ("DBM", "DBMClassifier") else {}
    sides = [("left", [3], slice(0, 2)), ("right", [2], slice(2, None))]
    few = {"modalities": sides, "top": 2, "n_iter": 2}
    finite |= few if cls.__name__ == "MultimodalDBM" else {}
    # Few columns under the default number of hidden units are told to have another distribution.
    finite |= {"n_components": 4} if cls.__name__ in ("BernoulliRBM", "RBM") else {}
    machine = cls(random_state=0, **finite).fit(X.astype(dtype), X[:, -1].astype(int))
    cold = machine.free_energy(X, beta=1e12)
    for beta in (1e100, 1e200, 1.7e308):
        np.testing.assert_allclose(machine.free_energy(X, beta=beta), cold, rtol=1e-5, atol=1e-6)


def test_log_probabilities_that_are_rounding_are_told():
    machine = BernoulliRBM(3, n_iter=2, random_state=0).fit(X)
    told = []
    for beta in (1.0, 1e6, *np.geomspace(1e17, 1e19, 9)):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            impossible = machine.log_likelihood(X, beta=beta).max() > 1e-3
        told.append(any("use a smaller beta" in str(w.message) for w in caught))
        assert told[-1] == impossible
    assert any(told) and not any(told[:2])


@pytest.mark.parametrize("value", [1e17, -1e17, 400.0])
def test_log_variances_whose_exponentials_overflow_are_refused(value):
    machine = GaussianRBM(3, n_iter=1, random_state=0).fit(X)
    machine.log_variance_visible_ = np.full(4, value)
    for call in (machine.transform, machine.free_energy, machine.score_samples):
        with pytest.raises(ValueError, match="log_variance_visible_ holds"):
            call(X)


def test_log_variances_that_were_taken_away_are_missed():
    machine = GaussianRBM(3, n_iter=1, random_state=0).fit(X)
    del machine.log_variance_visible_
    for call in (machine.transform, machine.free_energy, machine.partial_fit):
        with pytest.raises(AttributeError, match="no log_variance_visible_"):
            call(X)


def test_resume_names_the_argument_that_differs(tmp_path):
    file = tmp_path / "training"
    settings = {"n_components": 3, "n_iter": 2, "random_state": 0}
    BernoulliRBM(**settings, callbacks=Checkpoint(file)).fit(X)
    machine = BernoulliRBM(**settings)
    with pytest.raises(ValueError, match="the same X, y, sample_weight"):
        machine.resume(file, X, sample_weight=np.arange(12.0))
    with pytest.raises(ValueError, match="the same X, y, sample_weight"):
        machine.resume(file, 1 - X)
    with pytest.raises(ValueError, match="Continue with the same random_state"):
        machine.set_params(random_state=1).resume(file, X)


@pytest.mark.parametrize("rows", [[[1, 2], [3]], X + 1j, 7, X[:0], "word", X.astype("M8[s]")])
@pytest.mark.parametrize("argument", ["held_out", "train"])
def test_rows_of_early_stopping_are_named(argument, rows):
    given = {"held_out": X, "train": X, "monitor": "free_energy_gap", argument: rows}
    with pytest.raises((ValueError, TypeError), match=argument):
        EarlyStopping(**given)


@pytest.mark.parametrize("share", [1.0, -0.1, np.nan])
def test_dropout_of_a_layer_is_called_so(share):
    network = MLPRegressor(hidden_layer_sizes=(3,), max_iter=1, dropout=[0.0, share])
    with pytest.raises(ValueError, match="dropout must be"):
        network.fit(X, X[:, 0])


def test_lengths_of_a_lattice_are_numbers():
    with pytest.raises(ValueError, match="shape must be"):
        lattice(((1, 2), (3,)))


def test_records_are_no_labels():
    with pytest.raises(TypeError, match="y is a structured array"):
        MLPClassifier(max_iter=1).fit(X, np.zeros(12, "V4"))


@pytest.mark.parametrize("gone", [None, np.nan])
def test_no_class_is_missing(gone):
    network = MLPClassifier(max_iter=1)
    with pytest.raises(ValueError, match="classes_ must be"):
        network.classes_ = np.array([gone, "b"], object)


def test_patterns_that_overflow_are_refused_when_they_are_read():
    network = ModernHopfieldNetwork(beta=8.0).fit(np.eye(4))
    network.patterns_ = np.eye(4) * 1e155
    with pytest.raises(ValueError, match="patterns_ holds"):
        network.predict(X)


TABLE = ebm.TableRBM(3, n_iter=2, random_state=0)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([[1, 2], [3]], "X must have rows of one length"),
        (np.full(X.shape, 2**64, object), "Column 0 of X holds integers of more than 64 bits"),
        (np.full(X.shape, -np.inf), "Column 0 of X holds infinity"),
    ],
)
def test_tables_name_what_is_wrong(rows, said):
    with pytest.raises(ValueError, match=said):
        clone(TABLE).fit(rows)


def test_known_cells_are_called_given():
    given = np.where(np.arange(4) == 1, np.inf, np.nan)[np.newaxis]
    with pytest.raises(ValueError, match="Column 1 of given holds infinity"):
        clone(TABLE).fit(X).sample(2, given=given)


@pytest.mark.parametrize("value", [pd.NA, np.array([1, 2]), pd.Series([1.0]), [0]])
def test_what_is_no_name_is_no_column_and_no_label(value):
    with pytest.raises(ValueError, match="column must be"):
        clone(TABLE).fit(X).column_proba(X, value)
    stack = ebm.DBNClassifier([3], random_state=0).fit(X, X[:, 0].astype(int))
    with pytest.raises(ValueError, match="label must be"):
        stack.sample(3, label=value if np.size(value) != 1 else pd.NA, n_steps=2)


def test_rows_that_are_equal_up_to_rounding_go_on(tmp_path):
    """The automatic rate depends on the variance of the rows."""
    file, again = tmp_path / "file.npz", np.where(X == 1, 1 - 1e-12, X)
    rbm = BernoulliRBM(3, n_iter=4, random_state=0, callbacks=Checkpoint(file)).fit(X)
    found = BernoulliRBM(3, n_iter=4, random_state=0).resume(file, again)
    np.testing.assert_array_equal(found.components_, rbm.components_)


def test_energies_that_overflow_are_refused():
    rbm = BernoulliRBM(3, n_iter=1, random_state=0).fit(X)
    rbm.components_ = np.full((3, 4), 1.7e308)
    with pytest.raises(ValueError, match=r"components_.*of which squares overflow"):
        rbm.free_energy(X)


def test_offsets_that_overflow_are_no_start_of_chains():
    rbm = GaussianRBM(3, n_iter=1, random_state=0).fit(X)
    rbm.offset_hidden_ = np.array([0.5, 1.7e308, 0.5])
    assert np.isfinite(rbm.sample(2, n_steps=3)).all()
