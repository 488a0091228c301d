"""Where each installed package lives in the checkout; everything else is in pyproject.toml.

The folder ``sklearn_compat/`` is installed as ``ebm.sklearn_compat``, because the import name
``sklearn_compat`` belongs to another distribution.
"""

from setuptools import find_packages, setup

ESTIMATORS = "ebm.sklearn_compat"

# The symlink ebm/sklearn_compat is for tools that read the checkout. It must not decide what is
# packaged: an archive or a checkout without symlinks does not have it.
core = find_packages(include=["ebm", "ebm.*"], exclude=[ESTIMATORS, f"{ESTIMATORS}.*"])
estimators = [ESTIMATORS, *(f"{ESTIMATORS}.{name}" for name in find_packages("sklearn_compat"))]

setup(packages=core + estimators, package_dir={ESTIMATORS: "sklearn_compat"})
