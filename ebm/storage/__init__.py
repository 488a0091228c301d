"""Storage rules: couplings that make patterns fixed points, one rule a file.

A record (:class:`~ebm.storage.base.StorageRule`) holds the choice; its functions lead from a
:class:`~ebm.storage.base.Memory` and patterns to a new memory, and from a memory to couplings.
"""

from ebm._checks import resolve
from ebm.storage.base import (
    Memory,
    StorageRule,
    aligned_fields,
    share_of_unstable_bits,
    stored_badly,
)
from ebm.storage.covariance import Covariance
from ebm.storage.dilution import diluted
from ebm.storage.hebb import Hebb
from ebm.storage.perceptron import Perceptron
from ebm.storage.pseudo_inverse import PseudoInverse
from ebm.storage.storkey import Storkey
from ebm.storage.unlearning import Dreams, dream, unlearn

RULES: dict[str, type[StorageRule]] = {
    "hebb": Hebb,
    "storkey": Storkey,
    "pseudo_inverse": PseudoInverse,
    "perceptron": Perceptron,
    "covariance": Covariance,
}

__all__ = [
    "RULES",
    "Covariance",
    "Dreams",
    "Hebb",
    "Memory",
    "Perceptron",
    "PseudoInverse",
    "StorageRule",
    "Storkey",
    "aligned_fields",
    "diluted",
    "dream",
    "share_of_unstable_bits",
    "storage_rule",
    "stored_badly",
    "unlearn",
]


def storage_rule(value: object) -> StorageRule:
    """The storage rule that a name or a record stands for."""
    return resolve(value, RULES, StorageRule, "rule")  # type: ignore[type-abstract]
