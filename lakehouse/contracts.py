"""The feed contracts under ``feeds/`` and the deployments under ``deployments/``, as small frozen objects."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta, timezone
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, TypedDict

import yaml
from open_data_contract_standard.model import OpenDataContractStandard

from lakehouse.errors import Stop
from lakehouse.settings import PROJECT
from lakehouse.yaml_files import read_yaml

UTC = "+00:00"
LEAST_SHARE_OF_LAST = 0.7  # of a snapshot, unless its contract says otherwise
DOUBT_LIMIT, DOUBT_FLOOR = 0.01, 5  # unless the contract says otherwise
SHOWN_DAYS = 92  # of page views, by ops.page_views
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
CHANNELS = ("branch", "online", "reference", "feedback")
LEVELS = ("general", "sensitive", "important")  # of security, lowest first; docs/CONTRACTS.md says what each means
IMPORTANT = LEVELS[-1]


@dataclass(frozen=True)
class Column:
    """One column of a feed: name, SQL type (shared by the engines), and the rules that a value must keep."""

    name: str
    type: str
    description: str
    is_required: bool
    is_pii: bool
    is_tokenised: bool
    normalise: str | None  # "digits", "lower", "upper": how a value is written before it becomes a token
    allowed: tuple[str, ...]
    minimum: Decimal | None
    maximum: Decimal | None
    may_be_absent: bool = False  # a delimited file may lack it, header and all: it is null then
    references: str | None = None  # feed whose first key column tells its values
    purposes: tuple[str, ...] = ()  # for which it is used, of the seed purposes
    is_party_key: bool = False  # whose the row is: the key of a record of a person or an organisation
    level: str = IMPORTANT  # one of LEVELS
    differs_from: str | None = None  # column of the row that must say something else, whatever its case and blanks


@dataclass(frozen=True)
class ErasureRule:
    """What becomes of a feed's rows about a person who is erased; see docs/PRIVACY.md.

    Numbers of accounts and cards are replaced wherever they stand, in rows of other customers, too.
    """

    by: Mapping[str, str]  # column that says whose the row is -> kind of number in it, one of `KINDS`
    drops_rows: bool
    blank: tuple[str, ...]  # columns that become null; with them, their tokens
    because: str  # why the row goes, or what of it stays
    texts: tuple[str, ...] = ()  # columns of free text: what names the person is replaced, in rows of others, too


KINDS = ("customer_no", "user_id", "lead_id", "party_key", "account_no")
ACCOUNT_NUMBERS, CARD_NUMBERS = ("account_no", "counterparty_account"), ("card_no", "bound_card_no")


@dataclass(frozen=True)
class Feed:
    """One contract: what is delivered, how it looks, and how much of it may be bad."""

    name: str
    description: str
    channel: str  # one of CHANNELS
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    delivery: str  # "daily delta", "daily snapshot", "event stream"
    format: str  # "delimited", "jsonl.gz"
    encoding: str
    delimiter: str  # of delimited files, else empty
    business_date_column: str | None
    initial_lag_days: int
    reject_limit: float  # rate of bad rows
    reject_floor: int  # bad rows that are tolerated, however small the file is
    control_sums: tuple[str, ...]
    latency_days: int
    least_share: float  # of the last snapshot's rows that the next one has at least
    doubt_limit: float = DOUBT_LIMIT  # rate of rows that may disagree with other deliveries before a person is asked
    doubt_floor: int = DOUBT_FLOOR  # rows that may, however small the delivery is
    absent: frozenset[str] = frozenset()  # columns that the files at hand lack, though the contract has them
    erasure: ErasureRule | None = None  # None: no row is about a person, or by a number alone
    purposes_since: date | None = None  # day from which the columns are used for their purposes
    about_nobody: str | None = None  # why no row is about a customer; None: every row is about one

    @property
    def sent_columns(self) -> tuple[Column, ...]:
        """The columns that the files at hand have."""
        return tuple(column for column in self.columns if column.name not in self.absent)

    @property
    def at_least(self) -> "Feed":
        """The feed as it is sent without the columns that may be absent."""
        return replace(self, absent=frozenset(column.name for column in self.columns if column.may_be_absent))

    @property
    def is_snapshot(self) -> bool:
        return self.delivery == "daily snapshot"

    @property
    def tokenised(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns if column.is_tokenised)

    @property
    def lake_key(self) -> tuple[str, ...]:
        """The columns of the feed's lake files that tell its records apart: the token in place of a number."""
        return tuple(f"{name}_token" if name in self.tokenised else name for name in self.key)

    @property
    def lake_columns(self) -> tuple[tuple[str, str], ...]:
        """(name, SQL type) of every column of the feed's lake files, in order."""
        return (
            *((column.name, column.type) for column in self.columns),
            *((f"{name}_token", "varchar") for name in self.tokenised),
            ("_file", "varchar"),
            ("_row", "bigint"),
            ("_known_date", "date"),
        )


class KnownHole(TypedDict):
    """A business date of which a source is known to lack postings."""

    date: str
    reason: str


class Reconciliation(TypedDict, total=False):
    """How far balances may differ from postings."""

    tolerance_amount: float
    known_holes: list[KnownHole]


@dataclass(frozen=True)
class Deployment:
    """Which feeds a bank sends, and what its data can support."""

    name: str
    currency: str
    utc_offset: str  # of the bank's clock, as +08:00: `land` writes it into manifests
    required: tuple[str, ...]
    optional: tuple[str, ...]
    unsupported_scores: dict[str, str]  # task -> why the bank's data cannot support it
    reconciliation: Reconciliation
    delivery_days: tuple[int, ...] = tuple(range(7))  # weekdays on which it sends files, Monday being 0
    activations: tuple[str, ...] = ()  # contracts below activations/ whose targets get what each date publishes
    alerts: tuple[str, ...] = ()  # receivers of alerts.yml who are told of alerts
    four_eyes: bool = True  # what overrides a rule, or changes one, needs two names
    retention: Mapping[str, int] = field(default_factory=dict)  # landing, page_views or a feed -> days that it is kept

    @property
    def zone(self) -> timezone:
        """The bank's time zone."""
        sign, clock = self.utc_offset[0], self.utc_offset[1:].split(":")
        offset = timedelta(hours=int(clock[0]), minutes=int(clock[1]))
        return timezone(-offset if sign == "-" else offset)

    @property
    def feeds(self) -> tuple[str, ...]:
        return self.required + self.optional

    def takes_in(self, feed: str) -> bool:
        """Whether a feed is declared: what lands of another never counts."""
        return feed in self.feeds

    def require(self, feed: str) -> None:
        """Raise `Stop` if a feed into which somebody writes is not declared."""
        if not self.takes_in(feed):
            raise Stop(f"the deployment {self.name} does not take in {feed}", "add it to `optional` in its file")

    def next_delivery_day(self, day: date) -> date:
        """The first day after another on which the bank sends files: what people hand in meanwhile counts from it."""
        ahead = (day + timedelta(days=number) for number in range(1, 8))
        return next(later for later in ahead if later.weekday() in self.delivery_days)

    def feeds_of(self, *channels: str) -> tuple[str, ...]:
        """The declared feeds of the given channels, in the order of the contracts."""
        return tuple(name for name, feed in load_feeds().items() if name in self.feeds and feed.channel in channels)


@cache
def load_feeds(folder: Path = PROJECT / "feeds") -> dict[str, Feed]:
    """All contracts below ``folder``, by feed name.

    Raises
    ------
    Stop
        If a contract is not a valid Open Data Contract Standard document; the message names the file.
    """
    feeds = {}
    for path in sorted(folder.glob("*/*.yml")):
        try:
            feeds[path.stem] = _feed(OpenDataContractStandard(**read_yaml(path)))
        except Exception as error:
            raise Stop(f"{path}: not a valid feed contract: {error}") from error
    return feeds


def load_deployment(path: Path) -> Deployment:
    """The deployment file at ``path``.

    Raises
    ------
    Stop
        If it declares a feed that has no contract, or lacks one of its keys.
    """
    try:
        raw = read_yaml(path)
    except (OSError, yaml.YAMLError) as error:
        raise Stop(
            f"{path} cannot be read: {error}", "set C360_DEPLOYMENT to a file such as those of deployments/"
        ) from error
    if not isinstance(raw, dict):
        raise Stop(f"{path} declares nothing", "see deployments/simulated.yml")
    if missing := [key for key in ("name", "currency", "required") if key not in raw]:
        raise Stop(f"{path}: {', '.join(missing)} is missing: see deployments/simulated.yml")
    if not re.fullmatch(r"[+-]\d\d:\d\d", str(raw.get("utc_offset", UTC))):
        raise Stop(f"{path}: utc_offset is none", 'write the offset of the bank\'s clock in quotes: "+08:00"')
    optional = raw.get("optional", [])
    declared = [*raw["required"], *optional]
    if unknown := sorted(set(declared) - set(load_feeds())):
        raise Stop(f"{path}: no contract under feeds/ for {', '.join(unknown)}")
    delivery_days = [str(day).lower() for day in raw.get("delivery_days", WEEKDAYS)]
    if not delivery_days or set(delivery_days) - set(WEEKDAYS):
        raise Stop(f"{path}: delivery_days has what is no weekday", f"list some of {', '.join(WEEKDAYS)}")
    four_eyes = raw.get("four_eyes", True)
    if not isinstance(four_eyes, bool):
        raise Stop(f"{path}: four_eyes is {four_eyes!r}", "write true, or false in a bank of one person")
    retention = raw.get("retention", {})
    if wrong := [name for name, days in retention.items() if not _is_kept_for(name, days)]:
        raise Stop(
            f"{path}: retention of {', '.join(map(str, wrong))}",
            f"name landing, {SHOWN_DAYS} days or more of page_views, or a feed, and whole days from 1 on",
        )
    return Deployment(
        name=raw["name"],
        currency=raw["currency"],
        utc_offset=raw.get("utc_offset", UTC),
        required=tuple(raw["required"]),
        optional=tuple(optional),
        unsupported_scores=raw.get("unsupported_scores", {}),
        reconciliation=raw.get("reconciliation", {}),
        delivery_days=tuple(sorted(map(WEEKDAYS.index, delivery_days))),
        activations=tuple(raw.get("activations", ())),
        alerts=tuple(raw.get("alerts", ())),
        four_eyes=four_eyes,
        retention=retention,
    )


def _is_kept_for(name: str, days: object) -> bool:
    least = SHOWN_DAYS if name == "page_views" else 1
    return (name in ("landing", "page_views") or name in load_feeds()) and isinstance(days, int) and days >= least


def _feed(contract: Any) -> Feed:
    """A feed from a contract that was checked; its library types every part of it as optional."""
    table = contract.schema_[0]
    custom = _custom(contract)
    columns = tuple(item.name for item in table.properties)
    purposes = tuple(custom.get("purposes", ()))
    if not (purposes or "aboutNobody" in custom):
        raise ValueError("purposes are missing: data of people is used for what is said, and nothing else")
    return Feed(
        name=contract.id,
        description=contract.description.purpose,
        channel=custom["channel"],
        columns=tuple(_column(item, custom["securityLevel"], purposes, columns) for item in table.properties),
        key=tuple(
            item.name for item in sorted(table.properties, key=lambda p: p.primaryKeyPosition or 0) if item.primaryKey
        ),
        delivery=custom["delivery"],
        format=custom["format"],
        encoding=custom["encoding"],
        delimiter=custom.get("delimiter", ""),
        business_date_column=custom.get("businessDateColumn"),
        initial_lag_days=int(custom.get("initialLagDays", 0)),
        reject_limit=float(custom["rejectLimit"]),
        reject_floor=int(custom.get("rejectFloor", 0)),
        control_sums=tuple(custom.get("controlSums", ())),
        least_share=float(custom.get("leastShareOfLast", LEAST_SHARE_OF_LAST)),
        doubt_limit=float(custom.get("doubtLimit", DOUBT_LIMIT)),
        doubt_floor=int(custom.get("doubtFloor", DOUBT_FLOOR)),
        latency_days=next(int(item.value) for item in contract.slaProperties if item.property == "latency"),
        erasure=_erasure(custom["erasure"], columns) if "erasure" in custom else None,
        purposes_since=date.fromisoformat(custom["purposesSince"]) if purposes else None,
        about_nobody=custom.get("aboutNobody"),
    )


def _erasure(raw: Mapping[str, Any], columns: tuple[str, ...]) -> ErasureRule:
    """What the contract says of erasure; a column or a kind that does not exist would erase nothing."""
    by, blank, texts = dict(raw.get("by", {})), tuple(raw.get("blank", ())), tuple(raw.get("texts", ()))
    if unknown := [name for name in (*by, *blank, *texts) if name not in columns]:
        raise ValueError(f"erasure names {', '.join(unknown)}, which is no column")
    if unknown := [kind for kind in by.values() if kind not in KINDS]:
        raise ValueError(f"erasure goes by {', '.join(unknown)}: it may go by {', '.join(KINDS)}")
    if raw["rows"] not in ("keep", "drop"):
        raise ValueError("rows of erasure is neither keep nor drop")
    return ErasureRule(by, raw["rows"] == "drop", blank, raw["because"], texts)


def _column(item: Any, level_of_feed: str, purposes_of_feed: tuple[str, ...], columns: tuple[str, ...]) -> Column:
    options = item.logicalTypeOptions or {}
    custom = _custom(item)
    is_pii = item.classification == "pii"
    level = custom.get("securityLevel", IMPORTANT if is_pii else level_of_feed)
    if level not in LEVELS or (is_pii and level != IMPORTANT):
        raise ValueError(f"{item.name}: securityLevel is one of {', '.join(LEVELS)}; of pii it is {IMPORTANT}")
    other = custom.get("differsFrom")
    if other is not None and other not in columns:
        raise ValueError(f"{item.name}: differsFrom names {other}, which is no column")
    return Column(
        name=item.name,
        type=item.physicalType,
        description=item.description,
        is_required=bool(item.required),
        is_pii=is_pii,
        is_tokenised=bool(custom.get("tokenise")),
        normalise=custom.get("normalise"),
        allowed=tuple(custom.get("allowedValues", ())),
        minimum=None if options.get("minimum") is None else Decimal(str(options["minimum"])),
        maximum=None if options.get("maximum") is None else Decimal(str(options["maximum"])),
        may_be_absent=bool(custom.get("mayBeAbsent")),
        references=custom.get("references"),
        purposes=tuple(custom.get("purposes", purposes_of_feed)),
        is_party_key=bool(custom.get("partyKey")),
        level=level,
        differs_from=other,
    )


def _custom(item: Any) -> dict[str, Any]:
    """What the contract says beyond the standard, by name."""
    return {entry.property: entry.value for entry in item.customProperties or []}
