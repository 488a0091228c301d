"""
=================================================
What the approximate gradients cost, measured
=================================================

Bars and stripes on 3 x 3 pixels is the smallest data set on which learning a restricted Boltzmann machine goes wrong in
interesting ways. The model is small enough for its likelihood, and for the gradient of it, to be exact, so the
approximations can be held against the truth:

- the exact gradient climbs to the ceiling, the likelihood of the data's own distribution;
- contrastive divergence (CD-1), whose negative phase is a single step from the data, levels off below it, and in time
  loses ground;
- persistent chains (PCD) follow the exact gradient until the weights are so large that the chains hardly move any
  more; with a constant learning rate the model then runs away from its chains and gets worse. Slowing down with a
  schedule prevents that.
"""

from itertools import product

import matplotlib.pyplot as plt
import numpy as np

from ebm import BernoulliRBM, PersistentContrastiveDivergence, TrainingCurveDisplay
from ebm.likelihood import log_partition

# %%
# All images of full rows, then all images of full columns. The empty and the full image are both, so there are 14
# different images among the 16.

lit = np.array(list(product([0.0, 1.0], repeat=3)))
X = np.concatenate([np.repeat(lit, 3, axis=1), np.tile(lit, 3)])

_, counts = np.unique(X, axis=0, return_counts=True)
ceiling = np.sum(counts / len(X) * np.log(counts / len(X)))

fig, axes = plt.subplots(2, 8, figsize=(6.4, 1.7), layout="constrained")
for image, ax in zip(X, axes.flat, strict=True):
    ax.imshow(image.reshape(3, 3), cmap="gray_r", vmin=0, vmax=1)
    ax.set(xticks=[], yticks=[])
plt.show()

# %%
# Every epoch is one update with all 16 images, after which a callback records the exact mean log-likelihood.


def log_likelihood(report):
    """Mean log p(v) of the 16 images."""
    log_z = log_partition(report.model, report.params).value
    return {"log_likelihood": np.mean(-report.model.free_energy(report.params, X)) - log_z}


chains = PersistentContrastiveDivergence(n_chains=100)
ways = {
    "exact gradient": {"gradient": "exact"},
    "PCD, slowing down": {"gradient": chains, "schedule": "linear"},
    "CD-1": {"gradient": "cd"},
    "PCD": {"gradient": chains},
}

fig, ax = plt.subplots(layout="constrained")
for name, settings in ways.items():
    rbm = BernoulliRBM(
        n_components=8,
        learning_rate=0.3,
        batch_size=len(X),
        n_iter=3000,
        callbacks=log_likelihood,
        random_state=0,
        **settings,
    ).fit(X)
    print(f"{name:18} {rbm.log_likelihood(X).mean():.2f} nats of at most {ceiling:.2f}")
    TrainingCurveDisplay.from_estimator(rbm, name=name, ax=ax, linewidth=1)
ax.axhline(ceiling, color="black", linestyle=":", label="ceiling")
ax.set(ylabel="exact log-likelihood (nats)", xlabel="updates", ylim=(-6.5, -2.4))
ax.legend()
plt.show()
