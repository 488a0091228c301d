"""
===================================================================================
Couplings from samples: what mean field misses, and what pseudo-likelihood does not
===================================================================================

The inverse Ising problem: samples of spins are known, their couplings are not. Exact maximum likelihood needs sums over
all states and ends at about 20 spins. There are two ways around it. Mean field inverts the covariance matrix, at once,
and is wrong by powers of the couplings, however many samples there are. The pseudo-likelihood regresses each spin on
all others; it goes to the true couplings as samples increase, and has nearly as small an error as exact maximum
likelihood does.

With a penalty on the absolute values of the couplings it also finds out which pairs are connected at all.
"""

import matplotlib.pyplot as plt
import numpy as np

from ebm import BoltzmannMachine, MaximumPseudoLikelihood, MeanFieldInversion

rng = np.random.default_rng(0)

# %%
# A spin glass
# ------------
# All of 16 spins are connected, with couplings of either sign, and sit in small fields.

N_SPINS = 16
PAIRS = np.triu_indices(N_SPINS, 1)
true = np.zeros((N_SPINS, N_SPINS))
true[PAIRS] = rng.normal(scale=0.7 / np.sqrt(N_SPINS), size=len(PAIRS[0]))
true += true.T
glass = BoltzmannMachine.from_couplings(true, rng.normal(scale=0.5, size=N_SPINS), unit="spin")
samples = glass.sample(64_000, n_steps=50, random_state=0)

WAYS = {
    "naive mean field": MeanFieldInversion(order=1),
    "TAP": MeanFieldInversion(order=2),
    "pseudo-likelihood": MaximumPseudoLikelihood(),
    "maximum likelihood": "maximum_likelihood",
}
counts = [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 64_000]


def recovered(way, n_samples):
    """Couplings of the pairs, found from the first samples."""
    machine = BoltzmannMachine(unit="spin", gradient=way).fit(samples[:n_samples])
    return machine.couplings_[PAIRS]


found = {name: [recovered(way, n) for n in counts] for name, way in WAYS.items()}
errors = {
    name: np.sqrt(np.mean((np.array(J) - true[PAIRS]) ** 2, axis=1)) for name, J in found.items()
}
print("root mean square error of the couplings")
print(f"    {'samples':20}" + "".join(f"{n:9}" for n in counts))
for name, error in errors.items():
    print(f"    {name:20}" + "".join(f"{e:9.4f}" for e in error))

# %%
# From 500 to 64 000 samples the error of the last two ways falls as the inverse square root of their number, by a
# factor of about eleven. That of mean field stops where its own begins, and the equations of Thouless, Anderson and
# Palmer, one order further, stop later.

for name in ("pseudo-likelihood", "maximum likelihood"):
    slope = np.polyfit(np.log(counts), np.log(errors[name]), 1)[0]
    print(f"error of {name} falls as samples to the power {slope:.2f}")
    assert -0.6 < slope < -0.45
last = {name: error[-1] for name, error in errors.items()}
assert last["naive mean field"] > 1.2 * last["TAP"] > 2 * last["pseudo-likelihood"]
assert last["pseudo-likelihood"] < 1.1 * last["maximum likelihood"]

# %%
# Which pairs are connected?
# ---------------------------
# Now 36 spins, of which each is connected to three others, by couplings of 0.5 or -0.5: 54 pairs of 630. There are too
# many states to be counted, and no need to. The estimate of every pair has noise, so without a penalty no coupling is
# zero; a penalty l1 of the size of the noise sets most of them to zero, and one that is too large takes true ones with
# them. The image has the true couplings below its diagonal and what was found above; the penalty makes them too
# small. Theory (Ravikumar, Wainwright & Lafferty 2010) has it proportional to the root of log(units) / samples.

N_UNITS, DEGREE, N_ROWS = 36, 3, 4000


def regular_graph(n, degree):
    """Adjacency matrix of a random graph in which every vertex has that degree: pairs of stubs, drawn until simple."""
    while True:
        stubs = rng.permutation(np.repeat(np.arange(n), degree)).reshape(-1, 2)
        edges = np.zeros((n, n), int)
        np.add.at(edges, (stubs[:, 0], stubs[:, 1]), 1)
        edges += edges.T
        if edges.max() == 1 and not edges.diagonal().any():
            return edges


graph = regular_graph(N_UNITS, DEGREE)
signs = np.triu(rng.choice([-1, 1], graph.shape), 1)
diluted = BoltzmannMachine.from_couplings(0.5 * graph * (signs + signs.T))
rows = diluted.sample(N_ROWS, n_steps=200, random_state=0)

pairs = np.triu_indices(N_UNITS, 1)
joined = graph[pairs] > 0
unit = np.sqrt(np.log(N_UNITS) / N_ROWS)
penalties = unit * np.geomspace(0.05, 40, 16)
machines = [
    BoltzmannMachine(unit="spin", gradient=MaximumPseudoLikelihood(l1=l1)).fit(rows)
    for l1 in penalties
]
nonzero = np.array([machine.couplings_[pairs] != 0 for machine in machines])
false, missed = (nonzero & ~joined).sum(axis=1), (~nonzero & joined).sum(axis=1)
best = (false + missed).argmin()
print(f"\n{joined.sum()} of {len(joined)} pairs are connected; found from {N_ROWS} samples")
print("    l1 / sqrt(log(n) / samples)    found    false   missed")
for l1, f, m in zip(penalties, false, missed, strict=True):
    print(f"    {l1 / unit:27.2f} {joined.sum() - m + f:8} {f:8} {m:8}")
assert false[best] + missed[best] == 0
assert false[0] > 300 and missed[-1] > 10

# %%

fig = plt.figure(figsize=(10, 6), layout="constrained")
top, bottom = fig.subfigures(2, 1)
axes = top.subplots(1, 4, sharex=True, sharey=True)
for ax, (name, J) in zip(axes, found.items(), strict=True):
    ax.axline((0, 0), slope=1, color="lightgray", zorder=0)
    ax.plot(true[PAIRS], J[-1], ".", markersize=4)
    ax.set(title=f"{name}\nerror {errors[name][-1]:.4f}", xlabel="true coupling")
axes[0].set_ylabel("found")

axes = bottom.subplots(1, 3)
for name, error in errors.items():
    axes[0].loglog(counts, error, marker=".", label=name)
guide = errors["maximum likelihood"][0] * np.sqrt(counts[0] / np.array(counts))
axes[0].loglog(counts, guide, "k:", label="1 / sqrt(samples)")
axes[0].set(xlabel="samples", ylabel="error of the couplings")
axes[0].legend(fontsize="x-small")
axes[1].semilogx(penalties, false, marker=".", label="false pairs")
axes[1].semilogx(penalties, missed, marker=".", label="missed pairs")
axes[1].axvline(penalties[best], color="lightgray", zorder=0)
axes[1].set(xlabel="penalty l1", ylabel="pairs", title="36 spins, diluted")
axes[1].set_yscale("symlog", linthresh=5)
axes[1].set_ylim(-0.5, None)
axes[1].legend(fontsize="small")
image = np.tril(diluted.couplings_) + np.triu(machines[best].couplings_)
axes[2].imshow(image, cmap="RdBu", vmin=-0.6, vmax=0.6)
axes[2].set(title="true \\ found", xticks=[], yticks=[])
plt.show()
