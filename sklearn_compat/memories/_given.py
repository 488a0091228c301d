"""Memories that complete labels, of arrays that were trained elsewhere: `from_parameters`."""

from typing import Any

from ebm._checks import check_real
from ebm.energies.completion import given_memories
from ebm.sklearn_compat._shared._labels import sorted_classes


class GivenCompletion:
    """Memories that complete labels, given (abstract; in front of the estimator)."""

    @classmethod
    def from_parameters(
        cls,
        components: Any,
        classes: Any,
        *,
        range: Any = (0.0, 1.0),
        scale: float = 1.0,
        **settings: Any,
    ) -> Any:
        """The classifier that has given memories, without data: whatever a fitted one can do, it can.

        Parameters
        ----------
        components : array-like of shape (n_components, n_features + n_classes)
            Memories: the visible parts, then the label units. float32 is kept.
        classes : array-like of shape (n_classes,)
            The classes, sorted, in the order of the label units.
        range : tuple of float, default=(0.0, 1.0)
            Values of the features that are mapped to -1 and to +1: the fitted attribute `range_`.
        scale : float, default=1.0
            T: the fitted attribute `scale_`.
        **settings : object
            Parameters of the constructor; `degree` is part of the energy. The arrays set `n_components`.

        Returns
        -------
        classifier : DenseAssociativeClassifier
            The classifier; the arrays are copied.

        Raises
        ------
        ValueError
            If `components` has the wrong shape, or NaN or infinite entries, classes are not sorted, the range is empty,
            or the scale is not positive.

        Examples
        --------
        >>> from ebm import DenseAssociativeClassifier
        >>> memories = [[1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]]
        >>> classifier = DenseAssociativeClassifier.from_parameters(
        ...     memories, ["no", "yes"], degree=3
        ... )
        >>> classifier.predict([[1.0], [0.0]])
        array(['no', 'yes'], dtype='<U3')
        """
        classifier: Any = cls(**settings)
        classifier.classes_ = sorted_classes(classifier, classes)
        params, ends = given_memories(components, len(classifier.classes_), range)
        classifier.range_, classifier.scale_ = ends, check_real(scale, "scale", open_low=True)
        classifier.set_params(n_components=len(params.memories))
        classifier._validate_params()
        classifier._model()  # refuses a scale that is not positive
        classifier._keep_params(params)
        classifier.n_features_in_ = params.memories.shape[1] - len(classifier.classes_)
        return classifier
