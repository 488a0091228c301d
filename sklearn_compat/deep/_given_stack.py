"""Stacks of given machines: `from_parameters`."""

import copy
from typing import Any

from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from ebm._checks import sequence
from ebm.sklearn_compat._shared._course import Course
from ebm.sklearn_compat._shared._labels import check_several, sorted_classes
from ebm.sklearn_compat._shared._validation import draw_seed
from ebm.sklearn_compat.deep._greedy import TIED
from ebm.sklearn_compat.deep._layers import check_joints, layer_name
from ebm.sklearn_compat.rbm._base import BaseRBM
from ebm.units import Bernoulli, OneHot


class GivenStack:
    """Stacks of given machines (abstract; in front of the stack)."""

    @classmethod
    def from_parameters(cls, rbms: Any, **settings: Any) -> Any:
        """The network of given machines, without data: whatever one fitted without fine-tuning can do, it can.

        Parameters
        ----------
        rbms : list of fitted RBM estimators
            The fitted attribute `rbms_`, from the data up; or machines of ``from_parameters``. They are copied.
        **settings : object
            Parameters of the constructor. The machines set `layers`.

        Returns
        -------
        network : DBN
            The network. Its ways up and down are those of the machines: what fine-tuning made of them is not in `rbms`.

        Raises
        ------
        ValueError
            If there is no machine, or the units of one are not those of the next.
        NotFittedError
            If a machine has no parameters.

        Examples
        --------
        >>> from ebm import DBN, BernoulliRBM
        >>> lower = BernoulliRBM.from_parameters([[2.0, 2.0, 0.0], [0.0, -1.0, 1.0]])
        >>> upper = BernoulliRBM.from_parameters([[1.0, -1.0]])
        >>> DBN.from_parameters([lower, upper]).transform([[1, 1, 0]]).shape
        (1, 1)
        """
        stack: Any = cls(**settings)
        stack._keep_given(rbms, 0)
        stack.layers = [clone(rbm) for rbm in stack.rbms_]
        stack._validate_params()
        return stack

    def _keep_given(self: Any, rbms: Any, n_labels: int) -> None:
        """Become the stack of copies of the machines, the topmost of which sees the labels besides."""
        machines = sequence(rbms, "rbms", "fitted RBM estimators")
        if not machines or not all(isinstance(rbm, BaseRBM) for rbm in machines):
            raise ValueError(f"rbms must hold fitted RBM estimators, at least one. Got {rbms!r}.")
        for rbm in machines:
            check_is_fitted(rbm, "components_")
        self._check_given_joints(machines)
        sizes = [rbm._model().shape(rbm._params()) for rbm in machines]
        wanted = [n_hidden for _, n_hidden in sizes[:-1]]
        got = [n_visible for n_visible, _ in sizes[1:]]
        if n_labels and got:
            wanted[-1] += n_labels
        for k, (below, above) in enumerate(zip(wanted, got, strict=True)):
            if below != above:
                raise ValueError(
                    f"rbms: {layer_name(k + 1)} has {above} visible units, but the layer below and the classes make "
                    f"{below}."
                )
        self.rbms_, self._directed = [copy.deepcopy(rbm) for rbm in machines], TIED
        self._course = Course(draw_seed(self.random_state))
        self.n_features_in_ = sizes[0][0] - (0 if len(machines) > 1 else n_labels)

    def _check_given_joints(self, machines: list[BaseRBM]) -> None:
        check_joints(machines)


class GivenJointStack(GivenStack):
    """Stacks of given machines that know labels (abstract; in front of the stack)."""

    @classmethod
    def from_parameters(  # type: ignore[override]
        cls, rbms: Any, classes: Any, **settings: Any
    ) -> Any:
        """The network of given machines, without data: whatever one fitted without fine-tuning can do, it can.

        Parameters
        ----------
        rbms : list of fitted RBM estimators
            The fitted attribute `rbms_`, from the data up; or machines of ``from_parameters``. The topmost one has
            ``visible=OneHot((n_classes,))``: its last visible units are the label. They are copied.
        classes : array-like of shape (n_classes,)
            The classes, sorted, in the order of the label units.
        **settings : object
            Parameters of the constructor. Of them `layers` is what a later `fit` learns anew; the default takes the
            sizes of the machines.

        Returns
        -------
        network : DBNClassifier
            The network. Its ways up and down are those of the machines: what fine-tuning made of them is not in `rbms`.

        Raises
        ------
        ValueError
            If there is no machine, the units of one are not those of the next, or the topmost one has no label units.
        NotFittedError
            If a machine has no parameters.

        Examples
        --------
        >>> from ebm import RBM, DBNClassifier, OneHot
        >>> joint = RBM.from_parameters([[3.0, -1.0, 1.0], [-3.0, 1.0, -1.0]], visible=OneHot((2,)))
        >>> DBNClassifier.from_parameters([joint], ["no", "yes"]).predict([[1], [0]])
        array(['yes', 'no'], dtype='<U3')
        """
        stack: Any = cls(**settings)
        known = sorted_classes(stack, classes)
        check_several(known)
        stack.classes_ = known
        stack._keep_given(rbms, len(known))
        if "layers" not in settings:
            stack.layers = [*(clone(rbm) for rbm in stack.rbms_[:-1]), as_layer(stack.rbms_[-1])]
        stack._validate_params()
        return stack

    def _check_given_joints(self: Any, machines: list[BaseRBM]) -> None:
        check_joints(machines[:-1])
        below = [type(rbm._model().hidden) for rbm in machines[-2:-1]]
        if below not in ([], [Bernoulli]):
            raise ValueError(
                "rbms: the machine below the topmost one must have binary hidden units. Got "
                f"{machines[-2]._model().hidden!r}."
            )
        unit = machines[-1]._model().visible
        if unit != OneHot((len(self.classes_),)):
            raise ValueError(
                f"rbms: the topmost machine must have visible=OneHot(({len(self.classes_)},)), the label units beside "
                f"binary ones. Got {unit!r}."
            )


def as_layer(joint: BaseRBM) -> Any:
    """The machine that becomes the joint one where label units are put beside its visible ones."""
    return clone(joint).set_params(visible="bernoulli")
