"""Tables of mixed columns as rows of units, and back.

A *column* (:mod:`ebm.tables.columns`) describes one column of a table: which unit stands for it, how its cells become
states of units, and how states become cells. An *encoding* (:mod:`ebm.tables.encoding`) holds the columns of a table.
It sorts them by type of unit, because the visible units of a machine stand in groups of one type each. Unknown cells
are NaN in all units of their column. Short chains (:mod:`ebm.tables.completion`) average what is unknown.
"""

from ebm.tables.columns import Cells, Column
from ebm.tables.completion import along_chains
from ebm.tables.encoding import Encoding
from ebm.tables.kinds import KINDS, column_of
from ebm.tables.scores import NormalScores, Scale, repeated

__all__ = [
    "KINDS",
    "Cells",
    "Column",
    "Encoding",
    "NormalScores",
    "Scale",
    "along_chains",
    "column_of",
    "repeated",
]
