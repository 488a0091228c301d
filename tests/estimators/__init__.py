"""Tests of the estimators: what users of scikit-learn see."""
