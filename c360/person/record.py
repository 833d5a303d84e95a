"""What is kept of one person, read from everywhere at one publish. `Record` is the machine form, and its schema."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date

import pyarrow.dataset as ds
from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter

from c360.finding import keys_of
from lakehouse import lake, warehouse
from lakehouse.contracts import load_feeds
from lakehouse.errors import Stop
from lakehouse.lake.page_views import days_of_events, read_events
from lakehouse.settings import Settings
from lakehouse.warehouse.personal import TableRows, kept_about, rows_about
from lakehouse.warehouse.provenance import DeliveredRow, parties_of, records_behind
from lakehouse.warehouse.refused import refused_of

FORM = "c360 person 1"
_JSON = TypeAdapter(dict[str, JsonValue])
Values = Mapping[str, JsonValue]


class Part(BaseModel):
    """A part of the record; nothing in it is left out, nothing may be added."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Row(Part):
    """One row that was delivered, and where it came from."""

    delivery: str = Field(description="Delivery, as <feed>/<period>/v<version>-<hash12>; intraday/… within the day")
    file: str = Field(description="File that was delivered")
    line: int = Field(description="Line in the file; a header is line 1")
    is_current: bool = Field(description="False: a newer version has taken its place, or it was taken back")
    values: Values = Field(description="By column of the feed's contract, and the tokens made of numbers")


class DeliveredFeed(Part):
    """What one feed has delivered of the person."""

    feed: str = Field(description="Contract below feeds/")
    description: str = Field(description="What the feed delivers")
    rows: tuple[Row, ...]


class Refused(Part):
    """One row that was refused when it came in, and is kept in quarantine."""

    feed: str
    file: str
    line: int
    reason: str = Field(description="Why, and the column at fault")
    text: str | None = Field(description="The row as it came; null: it may be another's, and names the person")


class Made(Part):
    """What was made of it: the person's rows of one table that readers see, or that a step keeps in the lake."""

    table: str = Field(description="schema.table as published; lake.… for what only the lake has")
    description: str | None
    columns: Mapping[str, str | None] = Field(description="Column: what it means")
    rows: tuple[Values, ...]
    mention_count: int = Field(description="Rows about others that name the person by a key, for instance as payer")


class Look(Part):
    """Somebody has looked at the person, was refused, or handed something in about them."""

    happened_at: str = Field(description="UTC")
    user_name: str | None
    role_name: str | None
    event_kind: str = Field(description="view, refusal or write")
    page: str
    detail: str | None


class Record(Part):
    """The whole record of one person at one publish."""

    form: str = Field(description="Name and version of this form", default=FORM)
    customer_key: str = Field(description="Customer, the earliest-known of the records")
    records: tuple[str, ...] = Field(description="Keys of the records that were joined as this person")
    business_date: date = Field(description="Date that readers see")
    publish_id: int = Field(description="Publish that they see")
    delivered: tuple[DeliveredFeed, ...] = Field(description="What the bank was delivered, by feed")
    refused: tuple[Refused, ...] = Field(description="Rows in quarantine")
    published: tuple[Made, ...] = Field(description="What readers see: marts, features, scores, actions, ops")
    kept: tuple[Made, ...] = Field(description="What steps keep in the lake, identity and network among it")
    receipts: tuple[Values, ...] = Field(description="Of each action and each score in the highest band, why")
    looked: tuple[Look, ...] = Field(description="Who has looked at the person, as long as that is kept")

    @property
    def row_count(self) -> int:
        """Rows of deliveries and of tables."""
        return sum(len(part.rows) for part in (*self.delivered, *self.published, *self.kept)) + len(self.receipts)

    def rows_of(self, table: str) -> tuple[Values, ...]:
        """The rows of a published table; none if it has nothing of the person."""
        return next((made.rows for made in self.published if made.table == table), ())


def find(settings: Settings, key: str, by: str = "key") -> str:
    """The customer key of whom a key or number means.

    Raises
    ------
    Stop
        If it means nobody, or several.
    """
    with warehouse.shown(settings) as shown:
        found = keys_of(settings, shown.query, by, key)
    if len(found) != 1:
        told = "several customers have it" if found else "no customer has it"
        raise Stop(f"a {by} means one person: {told}", "give the customer key, or the key of one of their records")
    return found[0]


def read(settings: Settings, customer_key: str) -> Record:
    """The record of a customer; raises `Stop` if no record belongs to the key."""
    parties = parties_of(settings, customer_key)
    delivered = _by_feed(records_behind(settings, parties))
    numbers = {feed: {str(row.values[load_feeds()[feed].key[0]]) for row in rows} for feed, rows in delivered.items()}
    pin = lake.pin(settings.lake, warehouse.last_published(settings))
    with warehouse.shown(settings) as shown:
        published = tuple(map(_made, rows_about(shown, parties)))
        publish_id, day = shown.publish_id, warehouse.last_published(settings)
    return Record(
        customer_key=customer_key,
        records=tuple(parties),
        business_date=day,
        publish_id=publish_id,
        delivered=tuple(_feed(feed, rows) for feed, rows in delivered.items()),
        refused=tuple(Refused(**vars(row)) for row in refused_of(settings.lake, parties, numbers)),
        published=published,
        kept=tuple(map(_made, kept_about(settings.lake, pin, lake.xref_file(settings.lake, pin), parties))),
        receipts=tuple(_receipts(settings, parties)),
        looked=tuple(_looks(settings, parties)),
    )


def _by_feed(rows: Iterable[DeliveredRow]) -> dict[str, list[DeliveredRow]]:
    found: dict[str, list[DeliveredRow]] = {}
    for row in rows:
        found.setdefault(row.feed, []).append(row)
    return found


def _feed(name: str, rows: Iterable[DeliveredRow]) -> DeliveredFeed:
    told = (
        Row(delivery=row.delivery, file=row.file, line=row.line, is_current=row.is_current, values=_plain(row.values))
        for row in rows
    )
    return DeliveredFeed(feed=name, description=load_feeds()[name].description, rows=tuple(told))


def _made(table: TableRows) -> Made:
    return Made(
        table=table.table,
        description=table.description,
        columns=table.columns,
        rows=tuple(map(_plain, table.rows)),
        mention_count=table.mention_count,
    )


def _plain(values: Mapping[str, object]) -> Values:
    """Values as JSON has them: dates, times and amounts as text, so that no digit is lost."""
    kept = (str, int, float, bool)
    return _JSON.validate_python(
        {name: value if value is None or isinstance(value, kept) else str(value) for name, value in values.items()}
    )


def _receipts(settings: Settings, parties: Sequence[str]) -> Iterator[Values]:
    for path in sorted((settings.lake / "receipts").glob("business_date=*/[!.]*.parquet")):
        rows = ds.dataset(path, partitioning=None).to_table(filter=ds.field("customer_key").isin(parties))
        yield from map(_plain, rows.to_pylist())


def _looks(settings: Settings, parties: Sequence[str]) -> Iterator[Look]:
    for day in days_of_events(settings.lake, date.max):
        for event in read_events(settings.lake, day):
            if event["customer_key"] in parties:
                yield Look(
                    happened_at=event["happened_at"],
                    user_name=event["user_name"],
                    role_name=event["role_name"],
                    event_kind=event["event_kind"],
                    page=event["page"],
                    detail=event["detail"],
                )
