"""Greedy pre-training: machines learn one on top of the other, each on the features that those below make of the data.

See :mod:`ebm.pretraining.greedy` for the algorithm, and :mod:`ebm.pretraining.upward` for the pass up. Deep Boltzmann
machines have two schemes, :mod:`ebm.pretraining.doubled` and :mod:`ebm.pretraining.copies`. Autoencoders may begin as
principal components instead (:mod:`ebm.pretraining.principal`).
"""

from ebm.pretraining.conditional import conditional_labels
from ebm.pretraining.copies import begins_as, copied_part, turns_over, twice
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
    "begins_as",
    "cannot_begin",
    "completed",
    "composed",
    "conditional_labels",
    "copied_part",
    "halved",
    "layers_above",
    "naming",
    "part",
    "pretrain",
    "pretrain_tree",
    "principal_start",
    "turns_over",
    "twice",
    "update_each",
]
