"""
==========================================
The lower half of a digit, from its upper
==========================================

A distribution over images answers any question about one part of them given another. The lower half of held-out digits
is erased; ``impute`` fills in its expectation, and ``sample`` with ``given=`` draws whole lower halves that go with
what is known.

The machine was never told which half would be asked for. Its expectations are nearer to the truth than those of a
linear regression that was fitted to this very question, and about as near as averages of nearest neighbours.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Ridge
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsRegressor

from ebm import BernoulliRBM

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split((X > 8).astype(float), y, random_state=0)

# %%
# NaN marks what is not known. In a few rows the lower half has several answers, and chains from different starts stay
# with different ones for longer than they are run here: ``impute`` warns, and returns what they say on average.

rbm = BernoulliRBM(
    n_components=64, learning_rate=0.05, n_iter=150, schedule="linear", random_state=0
).fit(X_train)

erased = X_test.copy()
erased[:, 32:] = np.nan
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always", ConvergenceWarning)
    imputed, errors = rbm.impute(erased, n_steps=600, return_std=True)
print(*(warning.message for warning in told), sep="\n")
print(f"standard errors: median {np.median(errors[:, 32:]):.3f}, largest {errors.max():.2f}\n")

upper, lower = slice(0, 32), slice(32, 64)
fitted = {
    "ridge regression": Ridge(alpha=10),
    "20 nearest neighbours": KNeighborsRegressor(n_neighbors=20),
}
halves = {"RBM": imputed[:, lower], "means of the pixels": X_train[:, lower].mean(axis=0)} | {
    name: model.fit(X_train[:, upper], X_train[:, lower]).predict(X_test[:, upper])
    for name, model in fitted.items()
}
print("mean squared error of the lower half")
for name, half in halves.items():
    print(f"    {name:22} {np.mean((half - X_test[:, lower]) ** 2):.4f}")

# %%
# One held-out digit of each kind: as it is, what is known of it, its expectation, and four draws. The known half stays
# as it is, bit for bit.

shown = [np.flatnonzero(y_test == digit)[0] for digit in range(10)]
draws = [rbm.sample(10, given=erased[shown], n_steps=600, random_state=seed) for seed in range(4)]
columns = {"digit": X_test[shown], "known": erased[shown], "expected": imputed[shown]}
columns |= {f"draw {number + 1}": draw for number, draw in enumerate(draws)}

fig, axes = plt.subplots(10, len(columns), figsize=(5.6, 8))
fig.subplots_adjust(left=0.02, right=0.98, bottom=0.02, top=0.95, wspace=0.1, hspace=0.1)
for column, (title, images) in zip(axes.T, columns.items(), strict=True):
    column[0].set_title(title, fontsize=9)
    for ax, image in zip(column, images, strict=True):
        ax.set_facecolor("lightsteelblue")  # unknown
        ax.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
plt.show()
