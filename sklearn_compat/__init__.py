"""The estimators: parameters, validation, fitted attributes. No arithmetic."""

if __name__ == "sklearn_compat":
    raise ImportError(
        "This folder is the source of ebm.sklearn_compat and cannot be imported under its own name: install "
        "scikit-ebm (pip install -e .) and write 'from ebm import BernoulliRBM'."
    )

from ebm.sklearn_compat._rbm import RBM, BernoulliRBM, GaussianRBM

__all__ = ["RBM", "BernoulliRBM", "GaussianRBM"]
