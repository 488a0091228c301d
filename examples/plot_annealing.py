"""
=========================================================
Log Z from above and from below, and what the error knows
=========================================================

Annealed importance sampling estimates the partition function of machines that are too large to be enumerated. Its
estimate comes with a standard error, computed from the weights that were seen. A weight that was never seen is in no
standard error: with a bad starting distribution the estimate can be tens of nats off and the error bar less than one.

Two things help, and here both are held against the exact log Z of a machine with 16 hidden units: to start from the
marginals of the data, and to anneal in both directions. The forward estimate is rarely too large, the backward one
rarely too small, and the gap between the two is a measure of the error that needs no exact number.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning

from ebm import AIS, Bernoulli, BernoulliRBM
from ebm._random import stream
from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.energies.path import path_to
from ebm.likelihood.ais import ais_log_partition

X = (load_digits().data > 8).astype(float)
rbm = BernoulliRBM(
    n_components=16, learning_rate=0.05, n_iter=50, schedule="linear", random_state=0
).fit(X)
exact = rbm.log_partition("exact").value
print(f"log Z, exact: {exact:.3f}")

# %%
# More and more temperatures, from the marginals of the data (what the estimators do) and from independent fair coins.
# An estimate with a gap beyond the tolerance draws a ``ConvergenceWarning``; here the gaps are what is to be shown.

unit = Bernoulli()
model = Bipartite(unit, unit)
params = BipartiteParameters(
    rbm.components_.T,
    unit.parameters(rbm.intercept_visible_),
    unit.parameters(rbm.intercept_hidden_),
)
coins = (unit.parameters(np.zeros(64)), unit.parameters(np.zeros(16)))
counts = [1, 3, 10, 30, 100, 300, 1000]


def from_data(n):
    """Estimate with `n` temperatures, from the marginals of the data."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return rbm.log_partition(AIS(n_temperatures=n))


def from_coins(n):
    """The bare estimate from fair coins, which is not held against a lower bound as those of estimators are."""
    return ais_log_partition(
        path_to(model, params, coins), AIS(n_temperatures=n), stream(0, "evaluation")
    )


estimates = {
    "marginals of the data": [from_data(n) for n in counts],
    "fair coins": [from_coins(n) for n in counts],
}
for name, found in estimates.items():
    print(f"\nfrom {name}: error of log Z, in nats")
    print("    temperatures   forward    error bar     ESS     reverse         gap")
    for n, z in zip(counts, found, strict=True):
        print(
            f"    {n:12} {z.value - exact:9.2f} {z.standard_error:12.2f}"
            f" {z.effective_sample_size:7.1f} {z.reverse - exact:11.2f} {z.gap:11.2f}"
        )

worst = estimates["fair coins"][0]
assert exact - worst.value > 20 * worst.standard_error  # what was never seen is in no error bar
enough = [found[-1] for found in estimates.values()]
assert all(abs(z.value - exact) < 5 * z.standard_error for z in enough)

# %%
# Is the error bar honest?
# ------------------------
# Forty annealings from the data's marginals with other random numbers. An interval of
# 95 % is to hold the truth in about 38 of 40. That of the forward weights alone does so once there are enough
# temperatures for the weights to be about equal, not before; the one that spans both directions is wider, and
# conservative.

print("\nof 40 intervals of 95 %, those with the exact log Z inside")
print("    temperatures   forward weights only   both directions")
for n in (1, 10, 100):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        choice = AIS(n_temperatures=n, reverse=False)
        one = [rbm.log_partition(choice, random_state=seed) for seed in range(40)]
        choice = AIS(n_temperatures=n)
        two = [rbm.log_partition(choice, random_state=seed) for seed in range(40)]
    inside = [sum(z.interval[0] <= exact <= z.interval[1] for z in found) for found in (one, two)]
    print(f"    {n:12} {inside[0]:22} {inside[1]:17}")

# %%

fig, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True, layout="constrained")
for ax, (name, found) in zip(axes, estimates.items(), strict=True):
    forward = np.array([z.value for z in found]) - exact
    reverse = np.array([z.reverse for z in found]) - exact
    errors = np.array([z.standard_error for z in found])
    ax.errorbar(counts, forward, 2 * errors, marker="o", capsize=3, label="forward, 2 errors")
    ax.plot(counts, reverse, marker="s", label="reverse")
    ax.axhline(0, color="black", linestyle=":", label="exact")
    ax.set(title=f"from {name}", xscale="log", xlabel="temperatures")
    ax.set_yscale("symlog", linthresh=0.5)
    ax.set_yticks([-10, -1, 0, 1, 10], ["-10", "-1", "0", "1", "10"])
axes[0].set_ylabel("error of log Z (nats)")
axes[0].legend()
plt.show()
