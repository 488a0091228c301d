"""
===========================================
Where to stop, without a partition function
===========================================

A hundred images are few. A machine that learns them for long overfits: their likelihood goes on rising
while that of other images falls. With 14 hidden units the likelihood is exact and shows when; larger machines do not
have that number, and have to stop by another one. Two of those need no partition function: the pseudo-likelihood of
held-out rows, and the gap between their mean free energy and that of the training rows.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from ebm import BernoulliRBM, EarlyStopping, PersistentContrastiveDivergence
from ebm.likelihood import free_energy_gap, log_partition, pseudo_log_likelihood

# %%
# One hundred digits to learn from, 200 to decide when to stop, 1000 to judge by.

X = np.random.default_rng(0).permutation((load_digits().data > 8).astype(float))
X_train, X_held_out, X_test = X[:100], X[100:300], X[300:1300]

settings = {
    "n_components": 14,
    "learning_rate": 0.1,
    "batch_size": 20,
    "n_iter": 1000,
    "gradient": PersistentContrastiveDivergence(n_chains=200),
    "random_state": 0,
}


def measures(report):
    """What there is to know, every tenth epoch."""
    if report.epoch % 10:
        return None
    model, params = report.model, report.params
    log_z = log_partition(model, params).value
    return {
        "train": np.mean(-model.free_energy(params, X_train)) - log_z,
        "test": np.mean(-model.free_energy(params, X_test)) - log_z,
        "pseudo": pseudo_log_likelihood(model, params, X_held_out).mean(),
        "gap": free_energy_gap(model, params, X_train, X_held_out),
    }


through = BernoulliRBM(callbacks=measures, **settings).fit(X_train)
epochs = through.history_["epoch"][9::10]
curves = {name: through.history_[name][9::10] for name in ("train", "test", "pseudo", "gap")}
best = curves["test"].max()

# %%
# :class:`~ebm.EarlyStopping` looks at one of the two numbers, ends the training when there was no progress for some
# looks, and puts the best parameters back. How large a gap is too large is a choice that the gap does not make: five
# nats here.

stops = {
    "pseudo-likelihood": EarlyStopping(X_held_out, every=10, patience=10),
    "free-energy gap": EarlyStopping(
        X_held_out, monitor="free_energy_gap", train=X_train, max_gap=5.0, every=10, patience=10
    ),
}
chosen = {}
print("stopped by           epochs run   best epoch   exact log-likelihood of the 1000, nats")
for name, stop in stops.items():
    rbm = BernoulliRBM(callbacks=stop, **settings).fit(X_train)
    n_epochs = len(rbm.history_["epoch"])
    entry = {"pseudo_likelihood": "held_out_pseudo_likelihood"}.get(stop.monitor, stop.monitor)
    looked = rbm.history_[entry][9::10]
    if stop.monitor == "free_energy_gap":
        chosen[name] = 10 * (np.flatnonzero(looked <= stop.max_gap)[-1] + 1)
    else:
        chosen[name] = 10 * (np.argmax(looked) + 1)
    reached = rbm.log_likelihood(X_test).mean()
    print(f"    {name:18} {n_epochs:8} {chosen[name]:12} {reached:14.2f}")
    assert best - reached < 0.2 < reached - curves["test"][-1]
at_end = through.log_likelihood(X_test).mean()
print(f"    {'no stop':18} {1000:8} {1000:12} {at_end:14.2f}")
print(f"    {'best of all':18} {'':8} {epochs[np.argmax(curves['test'])]:12.0f} {best:14.2f}")
print(f"\nthe training rows, meanwhile: {curves['train'][0]:.2f} to {curves['train'][-1]:.2f} nats")

# %%

fig, axes = plt.subplots(1, 3, figsize=(10, 3.6), layout="constrained")
axes[0].plot(epochs, curves["train"], label="training rows")
axes[0].plot(epochs, curves["test"], label="the 1000 others")
axes[0].legend()
axes[1].plot(epochs, curves["pseudo"])
axes[2].plot(epochs, curves["gap"])
titles = ["exact log-likelihood", "held-out pseudo-likelihood", "free-energy gap"]
for ax, title in zip(axes, titles, strict=True):
    ax.set(title=title, xlabel="epoch")
axes[0].set_ylabel("nats")
for ax, epoch in zip(axes[1:], chosen.values(), strict=True):
    for each, style in ((ax, "-"), (axes[0], ":")):
        each.axvline(epoch, color="gray", linestyle=style)
plt.show()
