"""The figures hold what they were asked to show, and refuse what they cannot show."""

import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from ebm import (
    DBN,
    RBM,
    BernoulliRBM,
    BoltzmannMachine,
    CouplingsDisplay,
    DBNClassifier,
    DenseAssociativeMemory,
    FiltersDisplay,
    GaussianRBM,
    HopfieldNetwork,
    ModernHopfieldNetwork,
    PatternsDisplay,
    SamplesDisplay,
    TrainingCurveDisplay,
    lattice,
)

X = np.random.default_rng(0).integers(0, 2, (30, 12)).astype(float)
SHAPE = (3, 4)


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def rbm():
    return BernoulliRBM(
        n_components=5,
        n_iter=3,
        random_state=0,
        callbacks=lambda report: {"double": 2 * report.epoch},
    ).fit(X)


def pixels(display):
    return np.ma.filled(display.image_.get_array(), np.nan)


def tiles(image, shape):
    """The images in a mosaic, cut out by hand: all that is not NaN."""
    height, width = (n + 1 for n in shape)
    lines = range(0, image.shape[0], height)
    columns = range(0, image.shape[1], width)
    cut = [image[i : i + shape[0], j : j + shape[1]] for i in lines for j in columns]
    return np.array([tile.ravel() for tile in cut if not np.isnan(tile).any()])


EVERY = [
    lambda estimator, **kw: FiltersDisplay.from_estimator(estimator, image_shape=SHAPE, **kw),
    lambda estimator, **kw: SamplesDisplay.from_estimator(
        estimator, n_steps=2, image_shape=SHAPE, **kw
    ),
    TrainingCurveDisplay.from_estimator,
]
every = pytest.mark.parametrize("show", EVERY, ids=["filters", "samples", "curve"])


# --- what all displays share ----------------------------------------------------------------------


@every
def test_axes_are_new_or_those_given(rbm, show):
    display = show(rbm)
    assert display.figure_ is display.ax_.figure
    assert plt.fignum_exists(display.figure_.number)
    figure, (left, right) = plt.subplots(1, 2)
    assert display.plot(right) is display
    assert display.ax_ is right and display.figure_ is figure
    assert not left.has_data() and right.has_data()
    assert show(rbm, ax=left).ax_ is left


@every
@pytest.mark.parametrize("ax", [0, "left", np.empty(2, object)])
def test_what_is_not_axes_is_refused(rbm, show, ax):
    with pytest.raises(ValueError, match="ax must be None or the Axes"):
        show(rbm, ax=ax)


@every
def test_unfitted_estimator(show):
    with pytest.raises(NotFittedError):
        show(BernoulliRBM())


@every
def test_pipeline_is_sent_to_its_step(show):
    with pytest.raises(ValueError, match="Pass the step"):
        show(make_pipeline(MinMaxScaler(), BernoulliRBM(2, n_iter=1)).fit(X))


@pytest.mark.parametrize("show", [FiltersDisplay, SamplesDisplay], ids=["filters", "samples"])
@pytest.mark.parametrize("shape", [(4, 4), (12,), (3, -4), 12, "34", (3.0, 4.0), (2, 2, 3)])
def test_wrong_image_shape(rbm, show, shape):
    with pytest.raises(ValueError, match=r"height \* width = 12"):
        show.from_estimator(rbm, image_shape=shape)


@pytest.mark.parametrize("show", [FiltersDisplay, SamplesDisplay], ids=["filters", "samples"])
def test_image_that_is_not_square_needs_a_shape(rbm, show):
    with pytest.raises(ValueError, match=r"image_shape=\(height, width\)"):
        show.from_estimator(rbm)


def test_displays_are_not_loaded_before_they_are_used():
    program = "import sys, ebm; assert not {'matplotlib', 'ebm.displays'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", program], check=True)


# --- filters --------------------------------------------------------------------------------------


def test_filters_are_the_weights_largest_norm_first(rbm):
    display = FiltersDisplay.from_estimator(rbm, image_shape=SHAPE)
    order = np.argsort(-np.sqrt((rbm.components_**2).sum(axis=1)))
    assert_array_equal(tiles(pixels(display), SHAPE), rbm.components_[order])
    assert_array_equal(display.weights, rbm.components_[order])


def test_filters_by_index(rbm):
    display = FiltersDisplay.from_estimator(rbm, n_filters=3, order="index", image_shape=SHAPE)
    assert_array_equal(tiles(pixels(display), SHAPE), rbm.components_[:3])


def test_filters_have_one_symmetric_scale(rbm):
    display = FiltersDisplay.from_estimator(rbm, n_filters=None, image_shape=SHAPE)
    low, high = display.image_.get_clim()
    assert high == -low == np.abs(rbm.components_).max()
    assert FiltersDisplay(weights=np.zeros((1, 4))).plot().image_.get_clim() == (-1, 1)
    assert display.plot(vmax=2.5, cmap="gray").image_.get_clim() == (low, 2.5)


def test_filters_in_a_line(rbm):
    display = FiltersDisplay.from_estimator(rbm, image_shape=SHAPE, n_columns=5, colorbar=False)
    assert pixels(display).shape == (3, 5 * 5 - 1)
    assert len(display.figure_.axes) == 1


def test_filters_find_the_square():
    rows = np.arange(18.0).reshape(2, 9)
    display = FiltersDisplay(weights=rows).plot()
    assert_array_equal(tiles(pixels(display), (3, 3)), rows)


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"n_filters": 0}, "n_filters"),
        ({"n_filters": 2.5}, "n_filters"),
        ({"order": "size"}, "order"),
        ({"n_columns": 0}, "n_columns"),
    ],
)
def test_filters_refuse(rbm, wrong, match):
    with pytest.raises(ValueError, match=f"^{match} must be"):
        FiltersDisplay.from_estimator(rbm, image_shape=SHAPE, **wrong)


def test_filters_need_rows():
    with pytest.raises(ValueError, match="n_filters, n_features"):
        FiltersDisplay(weights=np.zeros(4)).plot()


# --- samples --------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix, list])
def test_samples_stand_right_of_the_data(rbm, form):
    display = SamplesDisplay.from_estimator(
        rbm, form(X), n_samples=4, n_steps=3, image_shape=SHAPE, random_state=1
    )
    samples = rbm.sample(4, n_steps=3, random_state=1)
    assert_array_equal(display.samples, samples)
    assert all(any((row == x).all() for x in X) for row in display.data)
    image, width = pixels(display), 2 * SHAPE[1] + 1
    assert_array_equal(tiles(image[:, :width], SHAPE), display.data)
    assert_array_equal(tiles(image[:, -width:], SHAPE), samples)
    assert [label.get_text() for label in display.ax_.get_xticklabels()] == ["data", "samples"]


def test_samples_alone(rbm):
    display = SamplesDisplay.from_estimator(
        rbm, n_samples=5, n_steps=3, image_shape=SHAPE, random_state=1
    )
    assert display.data is None
    assert_array_equal(tiles(pixels(display), SHAPE), rbm.sample(5, n_steps=3, random_state=1))


def test_samples_beside_fewer_rows(rbm):
    display = SamplesDisplay.from_estimator(rbm, X[:2], n_samples=9, n_steps=1, image_shape=SHAPE)
    assert_array_equal(display.data, X[:2])


def test_same_seed_same_figure(rbm):
    same = {"n_samples": 4, "n_steps": 3, "image_shape": SHAPE, "random_state": 7}
    first, second = (pixels(SamplesDisplay.from_estimator(rbm, X, **same)) for _ in range(2))
    assert_array_equal(first, second)


def test_samples_refuse(rbm):
    with pytest.raises(ValueError, match="X has 3 features"):
        SamplesDisplay.from_estimator(rbm, X[:, :3], image_shape=SHAPE)
    with pytest.raises(ValueError, match="n_samples must be"):
        SamplesDisplay.from_estimator(rbm, n_samples=0, image_shape=SHAPE)
    with pytest.raises(ValueError, match="same features"):
        SamplesDisplay(samples=X, data=X[:, :3], image_shape=SHAPE).plot()


# --- training curves ------------------------------------------------------------------------------


def test_curve_shows_what_was_recorded(rbm):
    display = TrainingCurveDisplay.from_estimator(rbm)
    (line,) = display.lines_
    assert_array_equal(line.get_xydata(), [[1, 2], [2, 4], [3, 6]])
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("epoch", "double")
    assert display.ax_.get_legend() is None


def test_several_curves_have_a_legend(rbm):
    display = TrainingCurveDisplay.from_estimator(rbm, ["double", "learning_rate"], name="PCD")
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels == ["PCD: double", "PCD: learning rate"]
    assert_array_equal(display.lines_[1].get_ydata(), rbm.history_["learning_rate"])


def test_curves_of_two_models_in_one_figure(rbm):
    first = TrainingCurveDisplay.from_estimator(rbm, "double", name="one")
    second = TrainingCurveDisplay.from_estimator(rbm, "double", name="two", ax=first.ax_, color="r")
    labels = [text.get_text() for text in second.ax_.get_legend().get_texts()]
    assert labels == ["one", "two"]
    assert second.lines_[0].get_color() == "r"


def test_verbose_is_enough_for_a_curve(capsys):
    model = BernoulliRBM(2, n_iter=2, verbose=1, random_state=0).fit(X)
    display = TrainingCurveDisplay.from_estimator(model)
    assert display.ax_.get_ylabel() == "pseudo likelihood"
    assert "Iteration 2" in capsys.readouterr().out


def test_curve_says_what_to_do_when_nothing_was_recorded(rbm):
    plain = BernoulliRBM(2, n_iter=2, random_state=0).fit(X)
    with pytest.raises(ValueError, match="Fit with verbose=1"):
        TrainingCurveDisplay.from_estimator(plain)
    assert TrainingCurveDisplay.from_estimator(plain, "learning_rate").lines_
    with pytest.raises(ValueError, match=r"'triple' was not recorded; there is \['double'"):
        TrainingCurveDisplay.from_estimator(rbm, "triple")
    with pytest.raises(ValueError, match="empty list"):
        TrainingCurveDisplay.from_estimator(rbm, [])
    with pytest.raises(ValueError, match="n_iter of at least 1"):
        TrainingCurveDisplay.from_estimator(BernoulliRBM(2, n_iter=0).fit(X))


def test_curve_goes_on_over_holes():
    model = BernoulliRBM(
        2, n_iter=6, callbacks=lambda report: {"a": 1.0} if report.epoch % 3 == 0 else None
    ).fit(X)
    (line,) = TrainingCurveDisplay.from_estimator(model).lines_
    assert_array_equal(line.get_xydata(), [[3, 1], [6, 1]])


def test_curve_of_another_length_is_refused():
    with pytest.raises(ValueError, match="'a' has 1 entries for 2 epochs"):
        TrainingCurveDisplay(epochs=[1, 2], curves={"a": [0.5]}).plot()


# --- samples of every machine, couplings, patterns ------------------------------------------------

SAMPLING = {
    "BernoulliRBM": lambda: BernoulliRBM(2, n_iter=1).fit(X),
    "GaussianRBM": lambda: GaussianRBM(2, n_iter=1).fit(
        np.random.default_rng(0).normal(size=X.shape)
    ),
    "RBM of spins": lambda: RBM(2, visible="spin", n_iter=1).fit(2 * X - 1),
    "BoltzmannMachine": lambda: BoltzmannMachine(n_iter=1).fit(X),
    "with hidden units": lambda: BoltzmannMachine(3, n_iter=1).fit(X),
    "from couplings": lambda: BoltzmannMachine.from_couplings(lattice(SHAPE)),
    "DBN": lambda: DBN([BernoulliRBM(3, n_iter=1), BernoulliRBM(2, n_iter=1)]).fit(X),
    "DBNClassifier": lambda: DBNClassifier([BernoulliRBM(3, n_iter=1)]).fit(X, X[:, 0]),
}


@pytest.mark.parametrize("name", SAMPLING)
def test_samples_of_all_that_draws_them(name):
    machine = SAMPLING[name]()
    display = SamplesDisplay.from_estimator(
        machine, n_samples=4, n_steps=3, image_shape=SHAPE, random_state=0
    )
    expected = machine.sample(4, n_steps=3, random_state=0)
    assert_array_equal(tiles(pixels(display), SHAPE), expected)


def test_samples_of_parameters_that_were_set_by_hand():
    machine = BernoulliRBM(2)
    machine.components_ = np.zeros((2, 9))
    machine.intercept_hidden_, machine.intercept_visible_ = np.zeros(2), np.full(9, 50.0)
    display = SamplesDisplay.from_estimator(machine, n_samples=1, n_steps=1)
    assert_array_equal(pixels(display), np.ones((3, 3)))


@pytest.mark.parametrize("sparse_too", [False, True])
def test_couplings_are_shown_as_they_are(sparse_too):
    J = lattice(SHAPE) * np.arange(12)[:, None] * np.arange(12)
    machine = BoltzmannMachine.from_couplings(sparse.csr_array(J) if sparse_too else J)
    display = CouplingsDisplay.from_estimator(machine)
    assert_array_equal(pixels(display), J)
    assert display.image_.get_clim() == (-J.max(), J.max())
    assert len(display.ax_.lines) == 0


def test_lines_set_hidden_units_apart():
    display = CouplingsDisplay.from_estimator(SAMPLING["with hidden units"]())
    across, down = display.ax_.lines
    assert set(across.get_ydata()) == {11.5} == set(down.get_xdata())
    assert not CouplingsDisplay(couplings=np.eye(2)).plot(colorbar=False).ax_.lines
    with pytest.raises(ValueError, match=r"shape \(n_units, n_units\)"):
        CouplingsDisplay(couplings=np.zeros((2, 3))).plot()


MEMORIES = [HopfieldNetwork(), DenseAssociativeMemory(), ModernHopfieldNetwork(beta=100.0)]


@pytest.mark.parametrize("memory", MEMORIES, ids=lambda memory: type(memory).__name__)
def test_patterns_that_were_stored(memory):
    patterns = np.array([[-1, 1] * 8, [1, 1, -1, -1] * 4], dtype=float)
    display = PatternsDisplay.from_estimator(memory.fit(patterns))
    assert_array_equal(tiles(pixels(display), (4, 4)), patterns)
    one = PatternsDisplay.from_estimator(memory, n_patterns=1, image_shape=(2, 8), n_columns=1)
    assert_array_equal(pixels(one), patterns[0].reshape(2, 8))


def test_patterns_must_be_rows():
    with pytest.raises(ValueError, match=r"shape \(n_patterns, n_features\)"):
        PatternsDisplay(patterns=np.zeros(4)).plot()


@pytest.mark.parametrize(
    ("show", "estimator", "instead"),
    [
        (FiltersDisplay, SAMPLING["BoltzmannMachine"], "CouplingsDisplay and SamplesDisplay"),
        (FiltersDisplay, SAMPLING["DBN"], r"dbn\.rbms_\[0\]"),
        (SamplesDisplay, lambda: HopfieldNetwork().fit(2 * X[:1] - 1), "PatternsDisplay"),
        (CouplingsDisplay, SAMPLING["BernoulliRBM"], "BoltzmannMachine and HopfieldNetwork"),
        (PatternsDisplay, SAMPLING["BernoulliRBM"], "FiltersDisplay and SamplesDisplay"),
        (TrainingCurveDisplay, SAMPLING["from couplings"], "CouplingsDisplay"),
    ],
)
def test_display_of_another_machine_says_which_it_is_for(show, estimator, instead):
    with pytest.raises(ValueError, match=instead):
        show.from_estimator(estimator())
