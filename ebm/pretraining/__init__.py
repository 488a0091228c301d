"""Greedy pre-training: machines learn one on top of the other, each on the features that those below make of the data.

See :mod:`ebm.pretraining.greedy` for the algorithm, :mod:`ebm.pretraining.doubled` for deep Boltzmann machines, and
:mod:`ebm.pretraining.upward` for the pass up. Autoencoders may begin as principal components instead
(:mod:`ebm.pretraining.principal`).
"""

from ebm.pretraining.conditional import conditional_labels
from ebm.pretraining.doubled import composed, halved, part
from ebm.pretraining.greedy import (
    Layer,
    Machine,
    Pretrained,
    completed,
    naming,
    pretrain,
    update_each,
)
from ebm.pretraining.labels import Labels
from ebm.pretraining.pathways import Branch, pretrain_tree
from ebm.pretraining.principal import cannot_begin, principal_start
from ebm.pretraining.upward import Propagation, Step, layers_above

__all__ = [
    "Branch",
    "Labels",
    "Layer",
    "Machine",
    "Pretrained",
    "Propagation",
    "Step",
    "cannot_begin",
    "completed",
    "composed",
    "conditional_labels",
    "halved",
    "layers_above",
    "naming",
    "part",
    "pretrain",
    "pretrain_tree",
    "principal_start",
    "update_each",
]
