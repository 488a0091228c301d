"""How far the mean field of hidden layers is iterated while a model learns."""

from dataclasses import dataclass

from ebm._checks import Settings, check_integer, check_real


@dataclass(frozen=True, repr=False)
class FixedPoint(Settings):
    """How far the mean field of the hidden layers is iterated while a model learns.

    Parameters
    ----------
    n_sweeps : int, default=100
        Updates of all layers at most.
    tol : float, default=1e-3
        A row has converged when a sweep would move no mean by more than this.
    damping : float, default=0.0
        Share of the old means that an update keeps, in [0, 1).
    """

    n_sweeps: int = 100
    tol: float = 1e-3
    damping: float = 0.0

    def __post_init__(self) -> None:
        check_integer(self.n_sweeps, "n_sweeps")
        check_real(self.tol, "tol")
        check_real(self.damping, "damping", high=1.0, open_high=True)
