"""The estimators: parameters, validation, fitted attributes. No arithmetic."""

if __name__ == "sklearn_compat":
    raise ImportError(
        "This folder is the source of ebm.sklearn_compat and cannot be imported under its own name: install "
        "scikit-ebm (pip install -e .) and write 'from ebm import BernoulliRBM'."
    )

from ebm.sklearn_compat.boltzmann._boltzmann_machine import BoltzmannMachine
from ebm.sklearn_compat.deep._dbm import DBM
from ebm.sklearn_compat.deep._dbm_classifier import DBMClassifier
from ebm.sklearn_compat.deep._dbn import DBN
from ebm.sklearn_compat.deep._dbn_classifier import DBNClassifier
from ebm.sklearn_compat.deep._fine_tuning import FineTuning
from ebm.sklearn_compat.deep._multimodal_dbm import MultimodalDBM
from ebm.sklearn_compat.memories._dense_classifier import DenseAssociativeClassifier
from ebm.sklearn_compat.memories._dense_memory import DenseAssociativeMemory
from ebm.sklearn_compat.memories._hopfield import HopfieldNetwork
from ebm.sklearn_compat.memories._modern_hopfield import ModernHopfieldNetwork
from ebm.sklearn_compat.networks._autoencoder import Autoencoder
from ebm.sklearn_compat.networks._mlp_classifier import MLPClassifier
from ebm.sklearn_compat.networks._mlp_regressor import MLPRegressor
from ebm.sklearn_compat.networks._nca_embedding import NCAEmbedding
from ebm.sklearn_compat.rbm._bernoulli_rbm import BernoulliRBM
from ebm.sklearn_compat.rbm._gaussian_rbm import GaussianRBM
from ebm.sklearn_compat.rbm._rbm import RBM
from ebm.sklearn_compat.tables._outliers import FreeEnergyOutlierDetector
from ebm.sklearn_compat.tables._table_rbm import TableRBM

__all__ = [
    "DBM",
    "DBN",
    "RBM",
    "Autoencoder",
    "BernoulliRBM",
    "BoltzmannMachine",
    "DBMClassifier",
    "DBNClassifier",
    "DenseAssociativeClassifier",
    "DenseAssociativeMemory",
    "FineTuning",
    "FreeEnergyOutlierDetector",
    "GaussianRBM",
    "HopfieldNetwork",
    "MLPClassifier",
    "MLPRegressor",
    "ModernHopfieldNetwork",
    "MultimodalDBM",
    "NCAEmbedding",
    "TableRBM",
]
