"""What customers say of the purposes for which the bank uses their data: who refuses which, and who thinks again."""

from dataclasses import dataclass

import numpy as np

from simulator.draws import Draws
from simulator.people import People, customer_nos
from simulator.text import coded, join, numbers
from simulator.timeline import DAY, SHANGHAI, Timeline
from simulator.turn import Turn

_PURPOSES = ("marketing", "profiling")
_REFUSE = (0.025, 0.018)  # share of the persons who refuse each while they are customers
_THINK_AGAIN = 0.2  # of those
_CHANNELS = ("counter", "phone", "mobile", "web", "letter")
_CHANNEL_ODDS = [20.0, 15.0, 45.0, 15.0, 5.0]
_NEXT_DAY = (1, 4)  # channels whose words somebody has to write down: they count from the next day on


@dataclass
class Wishes:
    """The words of a chunk of customers; arrays have a row per purpose and an entry per customer."""

    people: People
    refuses_in: np.ndarray  # index of a month, -1 for never
    thinks_again_in: np.ndarray
    has_refused: np.ndarray  # so far

    @classmethod
    def of(cls, draws: Draws, people: People, timeline: Timeline) -> "Wishes":
        purpose, index = np.arange(len(_PURPOSES))[:, None], people.index[None, :]
        can = ~people.is_enterprise & ~people.is_child
        does = can & (draws.uniform("refuses", index, purpose) < np.array(_REFUSE)[:, None])
        month = draws.integers(len(timeline.months), "refuses in", index, purpose)
        again = draws.uniform("thinks again", index, purpose) < _THINK_AGAIN
        later = month + 1 + draws.integers(6, "thinks again in", index, purpose)
        nobody = np.zeros(does.shape, bool)
        return cls(people, np.where(does, month, -1), np.where(does & again, later, -1), nobody)

    def month(self, turn: Turn) -> None:
        """What is said in the month by those who are customers the whole of it."""
        for purpose in range(len(_PURPOSES)):
            says = turn.active & (self.refuses_in[purpose] == turn.month.index)
            self.has_refused[purpose] |= says
            again = turn.active & self.has_refused[purpose] & (self.thinks_again_in[purpose] == turn.month.index)
            who = np.flatnonzero(says | again)
            self._write(turn, who, purpose, again[who])

    def _write(self, turn: Turn, who: np.ndarray, purpose: int, is_given: np.ndarray) -> None:
        index = self.people.index[who]
        day = turn.season.day("office", turn.uniform("word day", who, purpose))
        second = 9 * 3600 + (turn.uniform("word time", who, purpose) * 8 * 3600).astype(np.int64)
        channel = turn.draws.choice(_CHANNEL_ODDS, "word channel", index, turn.month.index, purpose)
        number = (index * 1_000 + turn.month.index) * 10 + purpose + 10**13
        turn.deliveries.write(
            "consents",
            {
                "decision_id": join("W", numbers(number)),
                "business_date": day,
                "party_key": join("cif:", customer_nos(index)),
                "purpose": coded(_PURPOSES, np.full(len(who), purpose)),
                "decision": coded(("refused", "given"), is_given.astype(np.int64)),
                "effective_date": day + np.isin(channel, _NEXT_DAY),
                "decided_at": day * DAY + second - SHANGHAI,
                "channel": coded(_CHANNELS, channel),
            },
            day,
            index,
        )
