"""
======================================================
Seven gradients, the same number of updates, one truth
======================================================

The gradient of the log-likelihood has a part that takes all states of the model, and every way of learning puts
something in its place. On bars and stripes the likelihood is exact, so what each of them does to it can be read off:
all have the same machine, the same start, the same learning rate and 2000 updates. This is about what they do wrong,
and the constant learning rate is there to show it; see :ref:`sphx_glr_auto_examples_plot_exact_likelihood.py` for what
a schedule does.
"""

import time
from itertools import product

import matplotlib.pyplot as plt
import numpy as np

from ebm import (
    TAP,
    BernoulliRBM,
    FastPersistentContrastiveDivergence,
    ParallelTempering,
    PersistentContrastiveDivergence,
)
from ebm.likelihood import log_partition

# %%
# The 16 images of full rows or full columns. The best that a model can do is to give each its share.

lit = np.array(list(product([0.0, 1.0], repeat=3)))
X = np.concatenate([np.repeat(lit, 3, axis=1), np.tile(lit, 3)])
_, counts = np.unique(X, axis=0, return_counts=True)
ceiling = np.sum(counts / len(X) * np.log(counts / len(X)))


def log_likelihood(report):
    """Mean log p(v) of the 16 images, every fiftieth epoch."""
    if report.epoch % 50:
        return None
    log_z = log_partition(report.model, report.params).value
    return {"log_likelihood": np.mean(-report.model.free_energy(report.params, X)) - log_z}


ways = {
    "exact": "exact",
    "tempering": ParallelTempering(n_chains=100, n_temperatures=5),
    "pseudo_likelihood": "pseudo_likelihood",
    "tap": TAP(persistent=False),
    "cd": "cd",
    "pcd": PersistentContrastiveDivergence(n_chains=100),
    "fpcd": FastPersistentContrastiveDivergence(n_chains=100),
}
N_SEEDS, N_UPDATES = 3, 2000

# %%
# One update per epoch, with all 16 images, and three seeds. The machine is so small that the times are mostly overhead.


def curves_of(gradient):
    """Exact log-likelihoods (seeds, looks), and the seconds that one training took."""
    settings = {"n_components": 8, "learning_rate": 0.3, "schedule": "constant"}
    settings |= {"batch_size": len(X), "gradient": gradient}
    BernoulliRBM(n_iter=1, **settings).fit(X)  # compiles
    begun = time.perf_counter()
    rbms = [
        BernoulliRBM(n_iter=N_UPDATES, callbacks=log_likelihood, random_state=seed, **settings)
        for seed in range(N_SEEDS)
    ]
    found = np.array([rbm.fit(X).history_["log_likelihood"][49::50] for rbm in rbms])
    return found, (time.perf_counter() - begun) / N_SEEDS


looks = np.arange(50, N_UPDATES + 1, 50)
print(f"exact log-likelihood in nats, mean of {N_SEEDS} seeds; at most {ceiling:.3f}")
print("    gradient            after 300   after 1000   last 500   (worst look)   seconds")
final = {}
fig, ax = plt.subplots(figsize=(7.2, 4.4), layout="constrained")
for number, (name, gradient) in enumerate(ways.items()):
    curves, seconds = curves_of(gradient)
    last = curves[:, -10:]
    final[name] = last.mean(axis=1)
    at = dict(zip(looks, curves.mean(axis=0), strict=True))
    print(
        f"    {name:18} {at[300]:10.2f} {at[1000]:12.2f} {last.mean():10.2f}"
        f" {last.min():14.2f} {seconds:9.1f}"
    )
    lines = ax.plot(looks, curves.T, color=f"C{number}", linewidth=1)
    lines[0].set_label(name)
ax.axhline(ceiling, color="black", linestyle=":", label="ceiling")
ax.set(xlabel="updates", ylabel="exact log-likelihood (nats)", ylim=(-6.5, -2.4))
ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
plt.show()

# %%
# - The **exact** gradient comes close to the ceiling, and **tempering** stays within a tenth of a nat of it: its chains
#   get from image to image by way of an easy distribution, however large the weights are.
# - The **pseudo-likelihood** is far ahead at first, by nearly half a nat after 300 updates: it needs no samples. It
#   climbs another function, and levels off where that has its maximum.
# - **Mean field** (``tap``) and **CD-1** level off lower, each where its own bias says.
# - **PCD** and **FPCD** follow the exact gradient until their chains no longer keep pace with the weights. From then on
#   the model runs away from them, and the likelihood falls, and jumps. Fast weights soften that, here, and do not
#   prevent it.

others = [name for name in ways if name not in ("exact", "pcd", "fpcd")]
mean = {name: values.mean() for name, values in final.items()}
assert mean["exact"] > max(mean[name] for name in others)
assert mean["exact"] - mean["tempering"] < 0.1
assert min(mean[name] for name in others) > max(mean["pcd"], mean["fpcd"])
