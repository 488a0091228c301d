"""
==================================================
A density that is exact, from a Gaussian RBM
==================================================

With real visible and binary hidden units, a restricted Boltzmann machine is a mixture of Gaussians: one component for
each state of the hidden layer, with means that share their parts. Eight hidden units make 256 components from 26
parameters. The partition function is a sum over those states, so the density is exact: it integrates to one, and the
log-likelihood of held-out points can be compared with that of the distribution they were drawn from.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import logsumexp

from ebm import GaussianRBM

# %%
# Three round clouds: a mixture of three Gaussians whose density is known.

centres = np.array([[-2.0, -1.0], [2.0, -1.0], [0.0, 2.0]])
sd = 0.5
rng = np.random.default_rng(0)


def draw(n):
    """Points from the mixture."""
    return centres[rng.integers(3, size=n)] + sd * rng.normal(size=(n, 2))


def true_log_density(x):
    """Log density of the mixture."""
    squares = ((x[:, np.newaxis] - centres) ** 2).sum(axis=2)
    return logsumexp(-squares / (2 * sd**2), axis=1) - np.log(3 * 2 * np.pi * sd**2)


X, X_test = draw(2000), draw(2000)

# %%
# The variances are learned with the weights. With eight hidden units even the gradient can be exact. Step sizes are in
# units of the data's standard deviations.

rbm = GaussianRBM(
    n_components=8,
    gradient="exact",
    learning_rate=0.1,
    n_iter=200,
    schedule="linear",
    random_state=0,
).fit(X)

side = np.linspace(-4.5, 4.5, 121)
grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
density = np.exp(rbm.log_likelihood(grid))
mass = density.sum() * (side[1] - side[0]) ** 2

print(f"held-out log-likelihood, learned   {rbm.log_likelihood(X_test).mean():.3f} nats")
print(f"held-out log-likelihood, true      {true_log_density(X_test).mean():.3f} nats")
print(f"integral of the learned density    {mass:.4f}")
print(f"learned standard deviations        {np.sqrt(rbm.variances_).round(3)}, true {sd}")

# %%

samples = rbm.sample(2000, n_steps=500, random_state=0)

fig, axes = plt.subplots(1, 3, figsize=(9.6, 3.8), sharex=True, sharey=True, layout="constrained")
axes[0].scatter(*X.T, s=2)
levels = density.max() * np.linspace(0.02, 1, 12)  # none at zero, which would tint the whole plane
axes[1].contourf(side, side, density.reshape(121, 121), levels=levels, cmap="Blues")
axes[2].scatter(*samples.T, s=2)
for ax, title in zip(axes, ["data", "learned density, exact", "samples"], strict=True):
    ax.set(title=title, aspect="equal", xlim=(-4.5, 4.5), ylim=(-4.5, 4.5), xlabel="$v_1$")
axes[0].set_ylabel("$v_2$")
plt.show()
