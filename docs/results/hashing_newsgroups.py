"""The curves of precision by the number of retrieved documents, from the table beside it."""

import csv
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

with Path("hashing_newsgroups.csv").open(encoding="utf-8") as lines:
    (_, *names), *rows = csv.reader(lines)
retrieved, *columns = np.array(rows, float).T
fig, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for name, column in zip(names, columns, strict=True):
    style = "o-" if "bits" in name else "s--"
    ax.plot(retrieved, column, style, label=name)
ax.set(xscale="log", xlabel="retrieved documents", ylabel="share of the same group")
ax.legend()
