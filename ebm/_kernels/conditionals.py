"""How well spins are predicted by their fields: the element-wise half of the pseudo-likelihood of pairwise models."""

from ebm._jit import jit
from ebm._kernels.bernoulli import RUN
from ebm._kernels.elementary import SATURATION, exp, log


@jit(reorder=True)
def flip_losses(s, fields, weights):
    """Sum of weight log(1 + exp(-2 s f)) over rows and units; `fields` f become its derivatives by them.

    `s` and `fields` are (rows, units), `weights` (rows,), all in double precision. Logarithms are taken of products.
    """
    T = type(weights[0])
    total = 0.0
    for r in range(s.shape[0]):
        loss = 0.0
        for start in range(0, s.shape[1], RUN):
            spins, f = s[r, start : start + RUN], fields[r, start : start + RUN]
            product, positive = T(1.0), T(0.0)
            for c in range(spins.size):  # counted from zero: else this loop does not vectorise
                step = T(-2.0) * spins[c]
                gain = step * f[c]
                a = abs(gain)
                e = exp(-(T(SATURATION) if a > T(SATURATION) else a))
                product *= T(1.0) + e
                positive += T(0.5) * (gain + a)
                f[c] = weights[r] * step * ((e if gain < T(0.0) else T(1.0)) / (T(1.0) + e))
            loss += log(product) + positive
        total += weights[r] * loss
    return total
