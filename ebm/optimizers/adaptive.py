"""Gradient ascent with a learning rate for every parameter, from the squares of its gradients so far.

With the gradient g (penalties included), the learning rate r, a small e, and all memory zero at first,

    AdaGrad    s <- s + g^2
               theta <- theta + r g / (sqrt(s) + e)                                  (Duchi, Hazan & Singer 2011)
    RMSProp    s <- d s + (1 - d) g^2
               theta <- theta + r g / (sqrt(s) + e)                                  (Tieleman & Hinton 2012)
    AdaDelta   s <- d s + (1 - d) g^2
               delta = sqrt(x + e) / sqrt(s + e) g
               x <- d x + (1 - d) delta^2
               theta <- theta + r delta                                              (Zeiler 2012, with r = 1)
    Adam       m <- b1 m + (1 - b1) g
               n <- b2 n + (1 - b2) g^2
               theta <- theta + r m^ / (sqrt(n^) + e)                                (Kingma & Ba 2015)
               m^ = m / (1 - b1^t),  n^ = n / (1 - b2^t)
    Nadam      m <- mu_t m + (1 - mu_t) g
               n <- b2 n + (1 - b2) g^2
               theta <- theta + r m^ / (sqrt(n^) + e)                                (Dozat 2016)
               m^ = mu_{t+1} m / (1 - mu_1 ... mu_{t+1}) + (1 - mu_t) g / (1 - mu_1 ... mu_t)
               n^ = n / (1 - b2^t),  mu_t = b1 (1 - 0.96^(t / 250) / 2)

at the step t = 1, 2, ... The published boxes descend a loss; here the gradient points uphill. The sizes of these steps
hardly depend on the scale of the gradient: learning rates that suit plain ascent are mostly too large for them.
AdaDelta is different: its rate is a factor of steps that find their own size.

In single precision, squares of gradients below 1e-19 are lost, beside which an e of 1e-8 is large: such gradients
move their parameters by less than 1e-11 of the learning rate in either precision.
"""

from dataclasses import dataclass
from typing import ClassVar

from ebm._checks import check_real
from ebm._kernels.rules import (
    AdaDeltaSettings,
    AdaGradSettings,
    AdamSettings,
    NadamSettings,
    RMSPropSettings,
)
from ebm.optimizers.base import Optimizer


@dataclass(frozen=True, repr=False)
class AdaGrad(Optimizer):
    """Gradients divided by the root of the sum of their squares.

    ::

        s <- s + g^2,    theta <- theta + r g / (sqrt(s) + epsilon)

    Parameters
    ----------
    epsilon : float > 0, default=1e-8
        Small constant that keeps the divisor from zero.

    Notes
    -----
    The steps shrink as 1 / sqrt(t), for good: of use where gradients are sparse, not where a machine trains for long.

    References
    ----------
    .. [1] Duchi, J., Hazan, E. and Singer, Y. (2011). Adaptive subgradient methods for online learning and stochastic
       optimization. Journal of Machine Learning Research 12, 2121-2159, figure 1 (with the diagonal matrix).

    Examples
    --------
    >>> from ebm import AdaGrad, BernoulliRBM
    >>> rbm = BernoulliRBM(optimizer=AdaGrad(epsilon=1e-6), learning_rate=0.01)
    """

    n_squares: ClassVar[int] = 1
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        check_real(self.epsilon, "epsilon", 0.0, open_low=True)

    @property
    def settings(self) -> AdaGradSettings:
        """In the kernels' form."""
        return AdaGradSettings(float(self.epsilon))


@dataclass(frozen=True, repr=False)
class RMSProp(Optimizer):
    """Gradients divided by the root of the running mean of their squares.

    ::

        s <- d s + (1 - d) g^2,    theta <- theta + r g / (sqrt(s) + epsilon)

    Parameters
    ----------
    decay : float in [0, 1), default=0.9
        Fraction d of the mean square that is kept at each step.
    epsilon : float > 0, default=1e-8
        Small constant that keeps the divisor from zero.

    Notes
    -----
    The mean starts at zero and is not corrected for it: the first step is 1 / sqrt(1 - d) learning rates long. The
    lecture leaves out epsilon.

    References
    ----------
    .. [1] Tieleman, T. and Hinton, G. (2012). Lecture 6.5: rmsprop, divide the gradient by a running average of its
       recent magnitude. COURSERA: Neural Networks for Machine Learning.

    Examples
    --------
    >>> from ebm import BernoulliRBM, RMSProp
    >>> rbm = BernoulliRBM(optimizer=RMSProp(decay=0.99), learning_rate=0.001)
    """

    n_squares: ClassVar[int] = 1
    decay: float = 0.9
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        check_real(self.decay, "decay", 0.0, 1.0, open_high=True)
        check_real(self.epsilon, "epsilon", 0.0, open_low=True)

    @property
    def settings(self) -> RMSPropSettings:
        """In the kernels' form."""
        return RMSPropSettings(float(self.decay), float(self.epsilon))


@dataclass(frozen=True, repr=False)
class AdaDelta(Optimizer):
    """Steps in the units of the parameters: the ratio of the running mean squares of steps and of gradients.

    ::

        s <- d s + (1 - d) g^2,    delta = sqrt(x + epsilon) / sqrt(s + epsilon) g
        x <- d x + (1 - d) delta^2,    theta <- theta + r delta

    Parameters
    ----------
    decay : float in [0, 1), default=0.95
        Fraction d of the mean squares that is kept at each step.
    epsilon : float > 0, default=1e-6
        Makes the first steps possible, about sqrt(epsilon / (1 - d)) long.

    Notes
    -----
    As published there is no learning rate, which is a learning rate of 1; schedules act on it.

    References
    ----------
    .. [1] Zeiler, M. D. (2012). ADADELTA: an adaptive learning rate method. arXiv:1212.5701, algorithm 1.

    Examples
    --------
    >>> from ebm import AdaDelta, BernoulliRBM
    >>> rbm = BernoulliRBM(optimizer=AdaDelta(), learning_rate=1.0)
    """

    n_squares: ClassVar[int] = 2
    decay: float = 0.95
    epsilon: float = 1e-6

    def __post_init__(self) -> None:
        check_real(self.decay, "decay", 0.0, 1.0, open_high=True)
        check_real(self.epsilon, "epsilon", 0.0, open_low=True)

    @property
    def settings(self) -> AdaDeltaSettings:
        """In the kernels' form."""
        return AdaDeltaSettings(float(self.decay), float(self.epsilon))


@dataclass(frozen=True, repr=False)
class Adam(Optimizer):
    """Running mean of the gradients, divided by the root of that of their squares.

    ::

        m <- b1 m + (1 - b1) g,    n <- b2 n + (1 - b2) g^2
        theta <- theta + r m / (1 - b1^t) / (sqrt(n / (1 - b2^t)) + epsilon)

    Parameters
    ----------
    beta1 : float in [0, 1), default=0.9
        Fraction b1 of the mean gradient that is kept at each step.
    beta2 : float in [0, 1), default=0.999
        Fraction b2 of the mean square that is kept at each step.
    epsilon : float > 0, default=1e-8
        Small constant that keeps the divisor from zero.
    epsilon_hat : bool, default=False
        Whether epsilon is added to sqrt(n) instead of to its corrected value, as at the end of section 2 of [1]_ and in
        scikit-learn: it then is larger beside it, at first 1 / sqrt(1 - b2) times.

    Notes
    -----
    Steps are at first one learning rate long and seldom longer; 0.001 was published. Both bias corrections are
    computed in double precision, whatever that of the parameters.

    References
    ----------
    .. [1] Kingma, D. P. and Ba, J. (2015). Adam: a method for stochastic optimization. International Conference on
       Learning Representations, algorithm 1.

    Examples
    --------
    >>> from ebm import Adam, BernoulliRBM
    >>> rbm = BernoulliRBM(optimizer=Adam(beta1=0.5), learning_rate=0.001)
    """

    n_squares: ClassVar[int] = 1
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    epsilon_hat: bool = False

    def __post_init__(self) -> None:
        check_real(self.beta1, "beta1", 0.0, 1.0, open_high=True)
        check_real(self.beta2, "beta2", 0.0, 1.0, open_high=True)
        check_real(self.epsilon, "epsilon", 0.0, open_low=True)

    @property
    def settings(self) -> AdamSettings:
        """In the kernels' form."""
        return AdamSettings(
            float(self.beta1), float(self.beta2), float(self.epsilon), bool(self.epsilon_hat)
        )


@dataclass(frozen=True, repr=False)
class Nadam(Optimizer):
    """Adam with Nesterov's momentum, which is warmed up.

    ::

        mu_t = b1 (1 - 0.96^(t / 250) / 2),    M_t = mu_1 ... mu_t
        m <- mu_t m + (1 - mu_t) g,    n <- b2 n + (1 - b2) g^2
        mean = mu_{t+1} m / (1 - M_{t+1}) + (1 - mu_t) g / (1 - M_t)
        theta <- theta + r mean / (sqrt(n / (1 - b2^t)) + epsilon)

    Parameters
    ----------
    beta1 : float in [0, 1), default=0.9
        Momentum b1 that mu_t approaches, from half of it.
    beta2 : float in [0, 1), default=0.999
        Fraction b2 of the mean square that is kept at each step.
    epsilon : float > 0, default=1e-8
        Small constant that keeps the divisor from zero.

    Notes
    -----
    The mean gradient decays by mu_t, which the product of the mu_t corrects exactly. Other libraries let it decay by b1
    and correct it by the same product. The mean square is corrected as Adam's.

    References
    ----------
    .. [1] Dozat, T. (2016). Incorporating Nesterov momentum into Adam. International Conference on Learning
       Representations, workshop track, algorithm 2.

    Examples
    --------
    >>> from ebm import BernoulliRBM, Nadam
    >>> rbm = BernoulliRBM(optimizer=Nadam(), learning_rate=0.001)
    """

    n_squares: ClassVar[int] = 1
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        check_real(self.beta1, "beta1", 0.0, 1.0, open_high=True)
        check_real(self.beta2, "beta2", 0.0, 1.0, open_high=True)
        check_real(self.epsilon, "epsilon", 0.0, open_low=True)

    @property
    def settings(self) -> NadamSettings:
        """In the kernels' form."""
        return NadamSettings(float(self.beta1), float(self.beta2), float(self.epsilon))
