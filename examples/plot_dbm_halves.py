"""
============================================================
Two hidden layers that are inferred together, on half digits
============================================================

In a deep Boltzmann machine each hidden layer receives input from below and from above. So the second layer can correct
what the first one sees. Here a machine with two hidden layers learns small digits, draws new ones, and completes digits
of which the lower half is missing. How far the bound on the likelihood rises by joint training is measured on digits
that were held out.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from ebm import DBM, BernoulliRBM, SamplesDisplay

X, y = load_digits(return_X_y=True)
X_train, X_test = train_test_split((X > 7).astype(np.float32), test_size=0.3, random_state=0)

# %%
# First the two layers are trained one by one, each with the input doubled that it will have from two sides. Without any
# epoch of joint training, this is the machine that they make.

layers = [BernoulliRBM(n, n_iter=6, batch_size=25, learning_rate=0.05) for n in (40, 16)]
dbm = DBM(
    layers,
    pretraining="greedy",
    n_iter=0,
    batch_size=25,
    learning_rate=0.05,
    warm_start=True,
    random_state=0,
)
composed = dbm.fit(X_train).score(X_test)

# %%
# Then both layers are trained together. The statistics of the data come from the mean field, which needs a few sweeps
# for each batch.

dbm.set_params(n_iter=8).fit(X_train)
trained = dbm.score(X_test)
sweeps = dbm.history_["mean_field_sweeps"]
print(f"bound on held-out digits: {composed:.2f} nats composed, {trained:.2f} trained together")
print(f"sweeps of the mean field: {sweeps[0]:.1f} in the first epoch, {sweeps[-1]:.1f} in the last")

# %%
# Digits of the data, and samples of the machine.

samples = dbm.sample(40, n_steps=500, random_state=0)
fig, ax = plt.subplots(figsize=(8, 3.4), layout="constrained")
SamplesDisplay(samples=samples, data=X_train[:40]).plot(ax, n_columns=10)
plt.show()

# %%
# The lower half of each digit is unknown. Twenty chains for each digit hold the upper half. The mean of their ends is
# compared with the mean digit.

n_digits, n_chains = 40, 20
half = X_test[:n_digits].copy()
half[:, 32:] = np.nan
drawn = dbm.sample(
    n_digits * n_chains, given=np.repeat(half, n_chains, axis=0), n_steps=100, random_state=0
)
filled = drawn.reshape(n_digits, n_chains, -1).mean(axis=1)
error = np.mean((filled[:, 32:] - X_test[:n_digits, 32:]) ** 2)
by_mean = np.mean((X_train[:, 32:].mean(axis=0) - X_test[:n_digits, 32:]) ** 2)
print(f"mean squared error of the lower half: {error:.3f}, by the mean digit {by_mean:.3f}")
fig, axes = plt.subplots(3, 10, figsize=(8, 2.6), layout="constrained")
for column in range(10):
    for ax, row in zip(
        axes[:, column], (X_test[column], half[column], filled[column]), strict=True
    ):
        ax.imshow(np.nan_to_num(row, nan=0.5).reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        ax.set_axis_off()
plt.show()

assert trained > composed
assert error < by_mean
