r"""
=========================================
How much a Hopfield network can hold
=========================================

Hebb's rule stores :math:`K = \alpha N` random patterns. Up to a load of :math:`\alpha_c = 0.138` recall that starts at
a stored pattern ends near it, with a few wrong bits; beyond, it ends anywhere. Amit, Gutfreund and Sompolinsky computed
the whole curve in 1987, with the replica method of spin glasses, for infinitely many units, without a free parameter.
Machines of 500, 1000 and 2000 units lie on it at low loads. Beyond the critical load they deviate, on average less with
2000 units than with 500.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import brentq
from scipy.special import erf

from ebm import HopfieldNetwork

# %%
# Theory
# ------
# At temperature zero, and in terms of :math:`y = m / \sqrt{2 \alpha r}`, the overlap is m = erf(y), and the load at
# which it solves the mean-field equations is known in closed form,
#
# .. math:: y \left(\sqrt{2 \alpha} + \frac{2}{\sqrt\pi} e^{-y^2}\right) = \operatorname{erf}(y).
#
# The load has a maximum: beyond it there is no solution but m = 0.


def load(y):
    """The load alpha at which y solves the equations."""
    return 0.5 * (erf(y) / y - 2 / np.sqrt(np.pi) * np.exp(-(y**2))) ** 2


grid = np.linspace(1, 4, 10_001)
y_critical = grid[np.argmax(load(grid))]
critical = load(y_critical)
print(f"critical load {critical:.4f}, overlap there {erf(y_critical):.3f}")
assert abs(critical - 0.1379) < 1e-4


def overlap(alpha):
    """The overlap m of the retrieval state, 0 beyond the critical load."""
    if alpha >= critical:
        return 0.0
    return erf(brentq(lambda y: load(y) - alpha, y_critical, 20.0))


# %%
# The machines
# ------------
# One network for each size and each load. Recall starts at stored patterns.

SIZES = (500, 1000, 2000)
rng = np.random.default_rng(0)
warnings.filterwarnings("ignore", "[0-9]+ of [0-9]+ patterns are not held")  # meant to be here
loads = np.array([0.05, 0.08, 0.1, 0.11, 0.12, 0.13, 0.14, 0.15, 0.16, 0.18, 0.2])


def measured(n_units, alpha):
    """Mean overlap after recall, and its standard error over the patterns of one network."""
    patterns = rng.choice([-1.0, 1.0], (round(alpha * n_units), n_units)).astype(np.float32)
    network = HopfieldNetwork(random_state=0).fit(patterns)
    m = np.mean(network.predict(patterns) * patterns, axis=1)
    return m.mean(), m.std() / np.sqrt(len(m))


theory = np.array([overlap(alpha) for alpha in loads])
points = {n: np.array([measured(n, alpha) for alpha in loads]) for n in SIZES}
print("load    theory " + "".join(f"        N = {n:<10}" for n in SIZES))
for i, alpha in enumerate(loads):
    columns = ("    {:.4f} +- {:.4f}".format(*points[n][i]) for n in SIZES)
    print(f"{alpha:.2f}    {theory[i]:.4f} " + "".join(columns))

deviation = {n: np.abs(points[n][:, 0] - theory) for n in SIZES}
assert max(deviation[n][loads <= 0.1].max() for n in SIZES) < 0.005
beyond = loads > critical + 0.01
assert deviation[2000][beyond].mean() < deviation[500][beyond].mean()

# %%
# At low loads the points lie on the curve. Beyond the critical load the overlap does not fall to zero at once.
# A machine of finite size stops in some local minimum on the way, which still resembles the pattern it started from.

fig, ax = plt.subplots(figsize=(6, 3.8), layout="constrained")
fine = np.linspace(0.01, critical - 1e-9, 200)
ax.plot(fine, [overlap(alpha) for alpha in fine], "k-", label="theory")
ax.plot([critical, critical], [erf(y_critical), 0], "k:")
ax.plot([critical, loads[-1]], [0, 0], "k-")
for n, found in points.items():
    ax.errorbar(loads, found[:, 0], 2 * found[:, 1], fmt="o", ms=4, label=f"{n} units, 2 s.e.")
ax.set(xlabel="load: patterns per unit", ylabel="overlap after recall", ylim=(-0.02, 1.02))
ax.legend(loc="lower left")
plt.show()
