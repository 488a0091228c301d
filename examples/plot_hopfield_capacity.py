r"""
=========================================
How much a Hopfield network can hold
=========================================

Hebb's rule stores :math:`K = \alpha N` random patterns. Up to a load of :math:`\alpha_c = 0.138` recall that starts at
a stored pattern ends near it, with a few wrong bits; beyond, it ends anywhere. Amit, Gutfreund and Sompolinsky computed
the whole curve in 1987, with the replica method of spin glasses, and it fits the machine without a parameter.
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
# The machine
# -----------
# 1000 units, one network for each load. Recall starts at stored patterns.

N = 1000
rng = np.random.default_rng(0)
warnings.filterwarnings("ignore", "[0-9]+ patterns are more than")  # here they are meant to be
loads = np.array([0.05, 0.08, 0.1, 0.11, 0.12, 0.13, 0.14, 0.15, 0.16, 0.18, 0.2])
means, errors = [], []
for alpha in loads:
    patterns = rng.choice([-1.0, 1.0], (round(alpha * N), N)).astype(np.float32)
    network = HopfieldNetwork(random_state=0).fit(patterns)
    m = np.mean(network.predict(patterns) * patterns, axis=1)
    means.append(m.mean())
    errors.append(m.std() / np.sqrt(len(m)))
theory = np.array([overlap(alpha) for alpha in loads])
print("load    measured            theory")
for row in zip(loads, means, errors, theory, strict=True):
    print("{:.2f}    {:.4f} +- {:.4f}    {:.4f}".format(*row))

low = loads <= 0.12
assert np.abs(np.array(means) - theory)[low].max() < 0.005
assert means[-1] < 0.6

# %%
# Below the critical load the points lie on the curve. Beyond, the overlap does not fall to zero at once: a machine of
# finite size stops in some local minimum on the way, which still resembles the pattern that it started from.

fig, ax = plt.subplots(figsize=(6, 3.8), layout="constrained")
fine = np.linspace(0.01, critical - 1e-9, 200)
ax.plot(fine, [overlap(alpha) for alpha in fine], "k-", label="theory")
ax.plot([critical, critical], [erf(y_critical), 0], "k:")
ax.plot([critical, loads[-1]], [0, 0], "k-")
ax.errorbar(loads, means, 2 * np.array(errors), fmt="o", label=f"N = {N}, two standard errors")
ax.set(xlabel="load: patterns per unit", ylabel="overlap after recall", ylim=(-0.02, 1.02))
ax.legend(loc="lower left")
plt.show()
