"""
========================================
Spurious states, and how to unlearn them
========================================

A Hopfield network has more fixed points than the patterns it stores: mixtures of three patterns, of five, and states
that belong to none. Started at random, it often ends in one of them. Hopfield, Feinstein and Palmer (1983) let it
*dream*: from a random start it goes to a fixed point, and that state is weakened a little, by Hebb's rule with the sign
reversed. What attracts most is weakened most, and those are the spurious states as long as there are any. Too many
dreams, and the patterns go as well.
"""

import matplotlib.pyplot as plt
import numpy as np

from ebm import HopfieldNetwork

# %%
# Fifteen patterns in 200 units, and 500 random starts. A start has found a pattern if it ends in it or in its mirror
# image, which is as stable.

N, K = 200, 15
rng = np.random.default_rng(1)
patterns = rng.choice([-1.0, 1.0], (K, N))
starts = rng.choice([-1.0, 1.0], (500, N))
RATE, DREAMS = 0.01, [0, 20, 50, 100, 200, 300, 400, 600, 800, 1000, 1500, 2000]


def outcome(network):
    """Shares of the starts that end in a pattern, and of the patterns that are fixed points."""
    ends = network.predict(starts)
    nearest = np.abs(ends @ patterns.T / N).max(axis=1)
    stable = np.all(network.predict(patterns) == patterns, axis=1)
    return np.mean(nearest == 1), stable.mean(), nearest


network = HopfieldNetwork(random_state=0).fit(patterns)
rows, nearest, done = [], {}, 0
print("dreams   starts that find a pattern   patterns that are stable")
for total in DREAMS:
    if total > done:
        network.unlearn(n_dreams=total - done, rate=RATE)
    done = total
    found, stable, nearest[total] = outcome(network)
    rows.append((total, found, stable))
    print(f"{total:6}   {found:26.2f}   {stable:24.2f}")

table = np.array(rows)
best = int(table[np.argmax(table[:, 1]), 0])
assert table[:, 1].max() > table[0, 1] + 0.2
assert table[-1, 2] < 0.5 < table[0, 2]

# %%
# Left: dreams first help, then hurt. Right: how near the starts come to a pattern. Before dreaming, many end half-way:
# a mixture of three patterns has the overlap 1/2 with each of them.

fig, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
axes[0].plot(table[:, 0], table[:, 1], marker="o", label="random starts that find a pattern")
axes[0].plot(table[:, 0], table[:, 2], marker="s", label="patterns that are stable")
axes[0].set(xlabel="dreams", ylabel="share", ylim=(-0.02, 1.02))
axes[0].legend()
bins = np.linspace(0, 1, 31)
axes[1].hist([nearest[0], nearest[best]], bins, label=["before", f"after {best} dreams"])
axes[1].set(xlabel="overlap with the nearest pattern", ylabel="starts")
axes[1].legend(loc="upper left")
plt.show()
