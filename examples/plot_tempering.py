"""
======================================================
Two far modes: Gibbs sampling stays, tempering crosses
======================================================

A chain of block Gibbs sampling forgets where it started, in time. Between two modes that few single steps connect, that
time is long: every chain reports from the mode in which it began, all chains agree with each other, and all are wrong
about how probable that mode is. Parallel tempering gives every chain copies at higher temperatures, which exchange
their states; up there the modes are one, so that what comes down has the right shares.

The machine here is small enough for the shares of its two modes to be exact.
"""

from itertools import product

import matplotlib.pyplot as plt
import numpy as np

from ebm import BernoulliRBM, Tempering

# %%
# Images of 4 x 4 pixels: three in four are full, one in four is empty, and three pixels in a hundred are flipped. The
# exact gradient gives the machine both modes in their shares. All of its 65 536 images can be listed.

rng = np.random.default_rng(0)
full = rng.random(1000) < 0.75
X = np.where(full[:, np.newaxis] ^ (rng.random((1000, 16)) < 0.03), 1.0, 0.0)

rbm = BernoulliRBM(
    n_components=6,
    gradient="exact",
    learning_rate=0.2,
    batch_size=100,
    n_iter=100,
    schedule="linear",
    random_state=0,
).fit(X)

images = np.array(list(product([0.0, 1.0], repeat=16)))
probability = np.exp(rbm.log_likelihood(images))
exact = probability[images.sum(axis=1) > 8].sum()
print(f"share of full images in the data      {full.mean():.3f}")
print(f"probability of the full mode, exact   {exact:.3f}")
print(
    f"probability of 7, 8 or 9 lit pixels   {probability[abs(images.sum(axis=1) - 8) < 2].sum():.5f}"
)

# %%
# Chains of different length, from the same start, that of ``sample``: pixels are independent there, and nearly all
# images lie on the side of the full mode. A tempered chain with eight replicas costs as much per step as eight Gibbs
# chains; steps are counted by cost.

N_CHAINS, N_REPLICAS = 500, 8


def share_of_full(draws):
    """Fraction of images in the full mode."""
    return np.mean(draws.sum(axis=1) > 8)


samplers = {"Gibbs": ("gibbs", 1), "tempering": (Tempering(n_temperatures=N_REPLICAS), N_REPLICAS)}
costs = [16, 64, 256, 1024, 4096]
shares = {
    name: [
        share_of_full(rbm.sample(N_CHAINS, n_steps=cost // price, sampler=sampler, random_state=0))
        for cost in costs
    ]
    for name, (sampler, price) in samplers.items()
}
error = np.sqrt(exact * (1 - exact) / N_CHAINS)
print(f"\nshare of {N_CHAINS} chains in the full mode, at equal cost (standard error {error:.3f})")
print(f"    {'steps':>10}" + "".join(f"{cost:8}" for cost in costs))
assert abs(shares["tempering"][-1] - exact) < 3 * error < abs(shares["Gibbs"][-1] - exact)
for name, values in shares.items():
    print(f"    {name:>10}" + "".join(f"{share:8.3f}" for share in values))

# %%
# What the chains say of themselves does not tell the two apart: R-hat of the free energy finds that the Gibbs chains
# agree. They do. Those that begin in one mode and stay there agree with each other, and that is no proof that there is
# no other mode; the tempered ones, which come from far, look no better.

found = {
    name: rbm.sample(
        N_CHAINS, n_steps=1024, sampler=sampler, return_diagnostics=True, random_state=0
    )
    for name, (sampler, _) in samplers.items()
}
print()
for name, (draws, told) in found.items():
    print(f"{name:10} R-hat {told.rhat:.3f}, share of the full mode {share_of_full(draws):.3f}")

# %%
# The ladder
# ----------
# With temperatures in equal steps, some pairs of neighbours exchange their states more often than others, and the worst
# pair is what holds everything up. The first half of the steps therefore moves the temperatures, until all pairs
# exchange equally often; the second half leaves them alone.

equal = Tempering(n_temperatures=N_REPLICAS, adapt=False)
_, before = rbm.sample(N_CHAINS, sampler=equal, return_diagnostics=True, random_state=0)
after = found["tempering"][1]
print("\nswap rates of neighbours, from the model to the easy distribution")
for name, told in {"equal steps": before, "adapted": after}.items():
    rates = "".join(f"{rate:6.2f}" for rate in told.swap_rates)
    print(f"    {name:12}{rates}   least {told.swap_rates.min():.2f}")

# %%

fig, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
axes[0].axhspan(exact - 2 * error, exact + 2 * error, color="lightgray", label="exact, 2 errors")
for name, values in shares.items():
    axes[0].plot(costs, values, marker="o", label=name)
axes[0].set(
    xscale="log", ylim=(0.5, 1.02), xlabel="steps times replicas", ylabel="share of the full mode"
)
axes[0].legend(loc="lower right")
for name, told in {"equal steps": before, "adapted": after}.items():
    between = (told.temperatures[1:] + told.temperatures[:-1]) / 2
    axes[1].plot(between, told.swap_rates, marker="o", label=name)
axes[1].set(
    xlabel="t, from the easy distribution (0) to the model (1)", ylabel="swap rate", ylim=(0, 1.02)
)
axes[1].legend(loc="lower left")
plt.show()
