"""
===================================================
Hidden units make better features than raw pixels
===================================================

Handwritten digits that are shifted by a pixel are the same digits, but to a linear classifier, which has one weight per
pixel, they look quite different. A restricted Boltzmann machine learns without labels which pixels go together; a
linear classifier on top of its hidden units then gets far more of the held-out digits right.

A second, smaller machine shows that its training is no guesswork: with 16 hidden units the partition function is a sum
of 65 536 terms, and the log-likelihood of held-out digits is exact, to be read before, while and after it learns.

As a script, this writes its figures to the folder ``figures``, or to the one that the environment variable
``EBM_FIGURES`` names.
"""

import os
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ebm import (
    BernoulliRBM,
    FiltersDisplay,
    PersistentContrastiveDivergence,
    SamplesDisplay,
    TrainingCurveDisplay,
)
from ebm.likelihood import log_partition

begun = time.perf_counter()

# %%
# The data
# --------
# scikit-learn's digits, 8 x 8 pixels between 0 and 1. A third is held out *before* the copies shifted by one pixel up,
# down, left and right are made, so that no copy of a test digit is ever trained on.


def with_shifts(X, y):
    """The images and their copies shifted by one pixel in the four directions."""
    framed = np.pad(X.reshape(-1, 8, 8), ((0, 0), (1, 1), (1, 1)))
    corners = [(1, 1), (0, 1), (2, 1), (1, 0), (1, 2)]
    copies = [framed[:, i : i + 8, j : j + 8].reshape(-1, 64) for i, j in corners]
    return np.concatenate(copies), np.tile(y, len(copies))


X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X / 16, y, test_size=1 / 3, stratify=y, random_state=0
)
X_shifted, y_shifted = with_shifts(X_train, y_train)
X_shifted_test, y_shifted_test = with_shifts(X_test, y_test)
print(
    f"{len(X_shifted)} images of digits to learn from, {len(X_shifted_test)} held out", flush=True
)

# %%
# Raw pixels against hidden units
# -------------------------------
# The same classifier twice. The gradient of the machine is not centred here: its hidden units then learn to be off most
# of the time, and such sparse features are easy to tell apart for a linear classifier.


def classifier():
    """Logistic regression on standardised features."""
    return make_pipeline(StandardScaler(), LogisticRegression(tol=1e-3, max_iter=1000))


print("\nLogistic regression on raw pixels ...", flush=True)
pixels = classifier().fit(X_shifted, y_shifted)
accuracy_pixels = pixels.score(X_shifted_test, y_shifted_test)

settings = {
    "n_components": 100,
    "learning_rate": 0.06,
    "gradient": PersistentContrastiveDivergence(centered=False),
    "random_state": 0,
}
print("... and on the hidden units of an RBM (the first run compiles its kernels)", flush=True)
untrained = BernoulliRBM(n_iter=0, **settings).fit(X_shifted)
rbm = BernoulliRBM(n_iter=20, verbose=1, **settings)
features = make_pipeline(rbm, classifier()).fit(X_shifted, y_shifted)
accuracy_features = features.score(X_shifted_test, y_shifted_test)

print(f"""
held-out accuracy, raw pixels        {accuracy_pixels:.3f}
held-out accuracy, RBM features      {accuracy_features:.3f}
held-out pseudo-log-likelihood       {untrained.score(X_shifted_test):.2f} nats before training
                                     {rbm.score(X_shifted_test):.2f} nats after""")

# %%
# What the hidden units look for: each has its place, where it asks for ink (red) beside no ink (blue).

filters = FiltersDisplay.from_estimator(rbm, n_filters=49, vmin=-1.5, vmax=1.5)
figures = {"filters": filters.figure_}

# %%
# An exact likelihood
# -------------------
# Binary digits, and 16 hidden units. A callback enters the exact held-out log-likelihood into ``history_`` after every
# epoch. Before training, the model knows how often each pixel is on, and no more.

B_train, B_test = (X_train > 0.5).astype(float), (X_test > 0.5).astype(float)


def exact_log_likelihood(report):
    """Mean log p(v) of the held-out digits."""
    log_z = log_partition(report.model, report.params).value
    free_energy = report.model.free_energy(report.params, B_test)
    return {"exact_log_likelihood": np.mean(-free_energy - log_z)}


print("\nA smaller RBM on binary digits, and its exact likelihood ...", flush=True)
small = {"n_components": 16, "learning_rate": 0.05, "schedule": "linear", "random_state": 0}
before = BernoulliRBM(n_iter=0, **small).fit(B_train)
after = BernoulliRBM(n_iter=100, callbacks=exact_log_likelihood, **small).fit(B_train)

print(f"""
held-out log-likelihood, exact       {before.log_likelihood(B_test).mean():.2f} nats before training
                                     {after.log_likelihood(B_test).mean():.2f} nats after""")

# %%

figures["learning_curve"], ax = plt.subplots(layout="constrained")
TrainingCurveDisplay.from_estimator(after, ax=ax, name="16 hidden units")
at_first = before.log_likelihood(B_test).mean()
ax.axhline(at_first, color="gray", linestyle=":", label="before training")
ax.set(title="Held-out binary digits", ylabel="exact log-likelihood (nats)")
ax.legend()

# %%
# What the small machine has learned, drawn from it by independent Gibbs chains, beside what it was shown.

figures["samples"] = SamplesDisplay.from_estimator(
    after, B_train, n_samples=36, random_state=0
).figure_

# %%
# Where the figures are
# ---------------------

folder = os.environ.get("EBM_FIGURES", "figures")
if folder:
    Path(folder).mkdir(parents=True, exist_ok=True)
    print()
    for name, figure in figures.items():
        path = Path(folder, f"rbm_digits_{name}.png")
        figure.savefig(path, dpi=150)
        print(f"figure: {path}")
print(f"\n{time.perf_counter() - begun:.0f} seconds in all")
