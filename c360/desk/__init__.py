"""The clerk's desk: doubtful pairs of party records, what a decision would change, and the decision itself."""

from c360.desk.comparison import Figure, Move, TableChange
from c360.desk.decisions import FEED, KINDS, Decided, decide, decisions
from c360.desk.pairs import Pair, doubtful_pairs
from c360.desk.rehearsal import Rehearsal, rehearse

__all__ = [
    "FEED",
    "KINDS",
    "Decided",
    "Figure",
    "Move",
    "Pair",
    "Rehearsal",
    "TableChange",
    "decide",
    "decisions",
    "doubtful_pairs",
    "rehearse",
]
