"""The curve of accuracy by the number of labels, from the table beside it."""

import csv
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

with Path("few_labels.csv").open(encoding="utf-8") as lines:
    (_, *names), *rows = csv.reader(lines)
labels, *columns = np.array(rows, float).T
fig, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for name, mean, std in zip(names[::2], columns[::2], columns[1::2], strict=True):
    ax.errorbar(labels, mean, std, fmt="o-", capsize=3, label=name)
ax.set(xscale="log", xlabel="labels", ylabel="test accuracy in percent")
ax.legend()
