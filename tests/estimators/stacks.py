"""Comparison and interruption of stacks."""

from __future__ import annotations

from tests.estimators.machines import same_state


def same_stack(one, other):
    return len(one.rbms_) == len(other.rbms_) and all(map(same_state, one.rbms_, other.rbms_))


class Interrupt:
    """Callback that interrupts training in an epoch."""

    def __init__(self, epoch=2):
        self.epoch = epoch

    def __call__(self, report):
        if report.epoch == self.epoch:
            raise KeyboardInterrupt
