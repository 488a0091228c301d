"""The curves of the squared error by processor time, from the tables beside it."""

import csv
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

fig, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for name, file in (("20 epochs", "deep"), ("80 epochs, interrupted", "long")):
    with Path(f"autoencoder_mnist_{file}.csv").open(encoding="utf-8") as lines:
        _, *rows = csv.reader(lines)
    _, minutes, errors = np.array(rows, float).T
    ax.plot(minutes, errors, "o-", markersize=4, label=name)
ax.axhline(3.0, color="gray", linestyle="--", label="published")
ax.set(xlabel="minutes of one thread", ylabel="squared error of a test image", ylim=(2.9, 4.2))
ax.legend()
