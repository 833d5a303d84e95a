"""The hidden truth, for evaluation only: who is who, true hazards, true events."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from simulator.people import customer_nos
from simulator.timeline import Month, Timeline

_PERSONS = pa.schema([("party_key", pa.string()), ("person_id", pa.string())])
_HAZARDS = pa.schema(
    [
        ("customer_no", pa.string()),
        ("as_of_date", pa.date32()),
        ("churn", pa.float64()),
        ("tier_upgrade", pa.float64()),
        ("tier_downgrade", pa.float64()),
        ("delinquency", pa.float64()),
    ]
)
_EVENTS = pa.schema([("customer_no", pa.string()), ("event_date", pa.date32()), ("event", pa.string())])


class Truth:
    """Parquet files that grow chunk by chunk."""

    def __init__(self, folder: Path, timeline: Timeline) -> None:
        folder.mkdir(parents=True)
        self._timeline = timeline
        self._persons = pq.ParquetWriter(folder / "persons.parquet", _PERSONS)
        self._hazards = pq.ParquetWriter(folder / "hazards.parquet", _HAZARDS)
        self._events = pq.ParquetWriter(folder / "events.parquet", _EVENTS)

    def month(self, month: Month, population, moods, money, loans, events) -> None:
        who = np.flatnonzero(money.is_open)
        number = customer_nos(population.index[who])
        churn = 1 - np.prod(1 - moods.ahead("churn", 3)[:, who], axis=0)
        miss = 1 - np.prod(1 - moods.ahead("delinquency", 2)[:, who], axis=0)
        up = 1 - np.prod(1 - moods.ahead("windfall", 3)[:, who], axis=0)
        down = 1 - np.prod(1 - moods.ahead("outflow", 3)[:, who], axis=0)
        for day in self._timeline.as_of_days:
            if month.first <= day <= month.last:
                self._hazards.write(
                    pa.table(
                        {
                            "customer_no": number,
                            "as_of_date": pa.array(np.full(len(who), day, np.int32)).cast(pa.date32()),
                            "churn": churn,
                            "tier_upgrade": up,
                            "tier_downgrade": down,
                            "delinquency": pa.array(miss, mask=~loans.is_running[who]),
                        },
                        schema=_HAZARDS,
                    )
                )
        for name, (positions, days) in events.items():
            self._events.write(
                pa.table(
                    {
                        "customer_no": customer_nos(population.index[positions]),
                        "event_date": pa.array(days.astype(np.int32)).cast(pa.date32()),
                        "event": pa.array([name] * len(positions), pa.string()),
                    },
                    schema=_EVENTS,
                )
            )

    def records(self, pairs: list[tuple[pa.Array, pa.Array]]) -> None:
        for party_key, person_id in pairs:
            self._persons.write(pa.table({"party_key": party_key, "person_id": person_id}, schema=_PERSONS))

    def close(self) -> None:
        for writer in (self._persons, self._hazards, self._events):
            writer.close()
