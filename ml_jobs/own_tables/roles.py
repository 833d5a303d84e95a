"""Which columns may be the label, the entity, the as-of date, and which are no features: proposals with reasons.

Names alone decide nothing that values contradict: `PhoneService` holds yes and no, `customer_value` amounts.
"""

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lakehouse.adapters.delimited import counted
from ml_jobs.own_tables.columns import Columns, text_of

PERSONS = {
    *("customer", "cust", "client", "member", "user"),
    *("person", "party", "borrower", "applicant", "household", "holder"),
    *("account", "acct", "loan", "contract", "card", "policy", "subscriber", "payer", "company", "firm", "kunde"),
    *("kunden", "konto", "msisdn", "cif"),
}
NUMBERS = {"id", "ids", "no", "nr", "num", "number", "key", "code", "uuid", "guid", "nummer", "ref", "reference"}
BARE = {"id", "uuid", "guid", "key", "cif", "kundennummer", "kundennr", "cifno", "iban", "msisdn"}
ROWS = {
    *("row", "index", "rownumber", "rownum", "rowid", "seq"),
    *("sequence", "unnamed", "column", "lfdnr", "idx", "record"),
}
HAN_KEY = re.compile(r"(客户|用户|会员|账户|账|卡|合同|借据)(编)?号$|编号$|客户ID$", re.IGNORECASE)
STRONG_LABELS = {
    *("label", "target", "y", "outcome", "churn"),
    *("churned", "exited", "attrition", "attrited", "defaulted", "bankrupt"),
    *("seriousdlqin2yrs", "subscribed", "fraud", "isfraud", "delinquent", "bankruptcy", "流失", "违约", "标签"),
}
WEAK_LABELS = {
    *("class", "default", "status", "deposit", "risk"),
    *("response", "bad", "good", "left", "converted", "closed"),
}
ABOUT_LABELS = {"is", "has", "will", "flag", "loan", "credit", "next", "month", "payment", "in", "days", "the", "ind"}
AS_OF = {
    *("asofdate", "asof", "snapshot", "snapshotdate", "obsdate", "observationdate", "reportdate", "reportingdate"),
    *("referencedate", "refdate", "businessdate", "cutoffdate"),
    *("statementdate", "month", "period", "yearmonth", "date"),
    *("day", "scoredate", "scoringdate", "datadate", "monthend", "reportingperiod", "dataasof", "valuationdate"),
    *("统计日期", "数据日期", "观察日", "观察日期", "日期"),
}
PERSONAL = {"surname", "email", "mail", "phone", "mobile", "telephone", "tel", "address", "ssn", "passport", "iban"}
NAMES_OF = {
    *("sur", "last", "first", "full", "given", "family"),
    *("middle", "customer", "client", "person", "holder", "cust"),
}
HAN_PERSONAL = re.compile(r"姓名|手机|电话|邮箱|地址|身份证|证件号")
PERSONAL_VALUES = re.compile(
    r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}|1[3-9][0-9]{9}|[1-9][0-9]{5}(19|20)[0-9]{9}[0-9Xx]|[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}"
    r"|\+?[0-9]{1,3}[ -][0-9]{2,4}[ -][0-9]{3,4}[ -]?[0-9]{2,4}"
)
FEW_LEVELS = 20  # distinct values: they name nobody
LEAST = 20  # values by which an identifier can be told
UNIQUE = 0.5  # of the values are distinct, in an identifier with the name of one
DENSE = 1.5  # row numbers skip fewer than every third number
LEAST_UNIQUE = 100  # values that are row numbers without the name
LONG = 10  # digits, the same number in every row: no measurement
SAMPLE = 200
LEAST_KEYS = 20  # of a key that repeats
PANEL_KEYS = 50  # of a key without the name of one, and
PANEL_ROWS = 1.5  # rows of each, and
DETERMINED = 0.3  # as many values in a column that hangs on it
PANEL_SAMPLE = 200_000  # rows that are looked at


@dataclass(frozen=True)
class Candidate:
    """A column for a role, and what speaks for it."""

    column: str
    why: str
    strength: int  # the higher the better


def words(name: str) -> list[str]:
    """The words of a column's name.

    >>> words("PhoneService"), words("SeriousDlqin2yrs"), words("customer_ID"), words("CLIENTNUM")
    (['phone', 'service'], ['serious', 'dlqin2yrs'], ['customer', 'id'], ['clientnum'])
    """
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return [word for word in re.split(r"[\W_]+", parted.lower()) if word]


def is_named_like_a_key(name: str) -> bool:
    """Whether the name is that of a key: of a person, an account, a row."""
    parts = words(name)
    return bool(parts) and (
        _of_a_person(name) or parts[-1] in ("id", "uuid", "guid", "key") or parts[0] == "id" or is_row_number(name)
    )


def is_row_number(name: str) -> bool:
    """Whether the name is that of a row's number: it is nobody's key."""
    parts = words(name)
    joined = "".join(parts).rstrip("0123456789")
    return joined in ROWS or joined in {"rownumber", "indexlevel", "recordno", "recordnumber", "lineno", "linenumber"}


def _of_a_person(name: str) -> bool:
    """The name of somebody's key: customer_id, CLIENTNUM, account no, 客户号."""
    parts = words(name)
    joined = "".join(parts)
    if joined in BARE or HAN_KEY.search(name):
        return True
    ends = [number for number in NUMBERS if joined.endswith(number)]
    return any(joined.removesuffix(number) in PERSONS for number in ends)


def why_identifier(name: str, columns: Columns) -> str:
    """Why a column identifies its rows and measures nothing; empty if it does not.

    A whole number that differs in every row is none by itself: incomes do. It is one with the name of a key, without
    gaps, or with ten digits or more in every row.
    """
    read = columns[name]
    count = int(read.present.sum())
    if count < LEAST or read.kind == "days" or read.kind == "empty":
        return ""
    is_whole = read.kind == "number" and not read.unit and bool((read.values[read.present] % 1 == 0).all())
    if read.kind == "number" and not is_whole:
        return ""
    shown = f"{read.distinct:,} values in {counted(count, 'row')}"
    if is_named_like_a_key(name) and read.distinct > UNIQUE * count:
        return f"an identifier: {shown}"
    if is_whole and read.distinct == count >= LEAST_UNIQUE:
        values = read.values[read.present]
        if values.max() - values.min() + 1 <= DENSE * count:
            return f"row numbers: {shown}"
    if is_whole and read.distinct > UNIQUE * count and count >= LEAST_UNIQUE:
        values = read.values[read.present]
        low, high = values.min(), values.max()
        if low >= 10 ** (LONG - 1) and np.floor(np.log10(low)) == np.floor(np.log10(high)):
            return f"an identifier: {shown}, all of {int(np.log10(low)) + 1} digits"
    return ""


def holds_personal_data(name: str, columns: Columns) -> bool:
    """Whether a column tells who a person is: by its values, or by its name if the values do not speak against it."""
    read = columns[name]
    count = int(read.present.sum())
    if read.kind in ("days", "empty") or not count:
        return False
    if read.kind == "number":
        return _is_named_personal(name) and bool((np.abs(read.values[read.present]) >= 10**6).mean() > UNIQUE)
    if read.distinct <= min(FEW_LEVELS, UNIQUE * count):
        return False
    texts = columns.texts(name).distinct
    sample = texts.take(np.arange(0, len(texts), max(1, len(texts) // SAMPLE))).to_pylist()
    if sum(bool(PERSONAL_VALUES.fullmatch(text)) for text in sample) > UNIQUE * len(sample):
        return True
    return _is_named_personal(name)


def _is_named_personal(name: str) -> bool:
    parts = words(name)
    is_name = bool(parts) and parts[-1] == "name" and (len(parts) == 1 or parts[-2] in NAMES_OF)
    joined = "".join(parts)
    is_card = joined in {"cardno", "cardnum", "cardnumber", "creditcardnumber", "fullname", "lastname", "firstname"}
    return is_name or is_card or not PERSONAL.isdisjoint(parts) or bool(HAN_PERSONAL.search(name))


def names_repeating_key(name: str, columns: Columns) -> bool:
    """Whether a column is somebody's key, by its name, and comes in several rows."""
    if not (_of_a_person(name) or "".join(words(name)) == "id"):
        return False
    read = columns[name]
    if read.kind == "days" or read.kind == "empty":
        return False
    count = int(read.present.sum())
    is_whole = read.kind == "category" or bool((read.values[read.present] % 1 == 0).all())
    return is_whole and LEAST_KEYS <= read.distinct < count


def panel_key(columns: Columns, leave_out: set[str | None]) -> Candidate | None:
    """A column without the name of a key on which others hang: each of its values comes with one of theirs.

    Such rows tell of the same somebody several times.
    """
    names = columns.delivered.names
    codes = {name: columns.codes(name) for name in names if name not in leave_out and columns[name].kind != "empty"}
    best = None
    for name, of_rows in codes.items():
        read = columns[name]
        present = of_rows >= 0
        if not _may_be_a_key(name, columns) or not PANEL_KEYS <= read.distinct <= present.sum() / PANEL_ROWS:
            continue
        step = max(1, len(of_rows) // PANEL_SAMPLE)
        rows = present & (of_rows % step == 0)  # some keys, with all of their rows
        keys = len(np.unique(of_rows[rows]))
        hanging = [
            other
            for other, theirs in codes.items()
            if other != name
            and len(np.unique(theirs[rows])) >= DETERMINED * keys
            and len(np.unique(of_rows[rows].astype(np.int64) * (theirs.max() + 2) + theirs[rows] + 1)) == keys
        ]
        if hanging and (best is None or len(hanging) > best.strength):
            why = f"{read.distinct:,} values in {counted(int(present.sum()), 'row')}, and {', '.join(hanging[:3])} hang"
            best = Candidate(name, f"{why}{'s' if len(hanging) == 1 else ''} on it", len(hanging))
    return best


def _may_be_a_key(name: str, columns: Columns) -> bool:
    read = columns[name]
    if read.kind == "category":
        return True
    values = read.values
    return read.kind == "number" and not read.unit and bool((values[read.present] % 1 == 0).all())


def label_candidates(columns: Columns) -> list[Candidate]:
    """Columns of two values that may be the outcome, the likeliest first."""
    names = columns.delivered.names
    found = []
    for name in names:
        texts = columns.texts(name)
        spelt = {text_of(text) for text in texts.distinct.to_pylist()} if len(texts.distinct) <= FEW_LEVELS else ()
        if len(spelt) != 2:
            continue
        strength = _label_strength(name)
        is_last = name == names[-1]
        why = {2: "named like an outcome", 1: "may be an outcome by its name", 0: "two values"}[strength]
        why += ", the last column" if is_last else ""
        found.append(Candidate(name, why, 2 * strength + is_last))
    return sorted(found, key=lambda candidate: -candidate.strength)


def _label_strength(name: str) -> int:
    parts = words(name)
    joined = "".join(parts)
    if joined in STRONG_LABELS or (parts and parts[0] in STRONG_LABELS and ABOUT_LABELS.issuperset(parts[1:])):
        return 2
    essential = [part for part in parts if part not in ABOUT_LABELS and not part.isdigit()]
    if essential and STRONG_LABELS.issuperset(essential):
        return 2
    if "default" in parts and "next" in parts:
        return 2
    return 1 if essential and (STRONG_LABELS | WEAK_LABELS).issuperset(essential) else 0


def entity_candidates(columns: Columns, label: str) -> list[Candidate]:
    """Columns that may say whom a row is about, the likeliest first."""
    found = []
    for name in columns.delivered.names:
        read = columns[name]
        count = int(read.present.sum())
        if name == label or read.kind in ("days", "empty") or not count or is_row_number(name):
            continue
        repeats = read.distinct < count
        shown = f"{read.distinct:,} values in {counted(count, 'row')}"
        if _of_a_person(name) and (names_repeating_key(name, columns) or read.distinct > UNIQUE * count):
            first = ("customer", "client", "cust", "cif", "kunde", "person", "member", "客户", "user")
            strength = 3 if "".join(words(name)).startswith(first) else 2
            found.append(Candidate(name, f"named like a key, {shown}", 10 * strength + repeats))
        elif is_named_like_a_key(name) and (read.distinct > UNIQUE * count or names_repeating_key(name, columns)):
            found.append(Candidate(name, f"named like a key, {shown}", 10 + repeats))
    return sorted(found, key=lambda candidate: -candidate.strength)


def date_candidates(columns: Columns, label: str) -> list[Candidate]:
    """Columns with a date in every row that may be the as-of date; those of strength 1 have its name."""
    found = []
    for name in columns.delivered.names:
        read = columns[name]
        if name == label or read.kind != "days" or read.useless or not read.present.all() or read.unreadable.any():
            continue
        days = pd.unique(read.values)
        named = "".join(words(name)) in AS_OF
        why = f"{'named like one, ' if named else ''}{counted(len(days), 'date')}, {days.min()} to {days.max()}"
        found.append(Candidate(name, why, int(named)))
    return sorted(found, key=lambda candidate: -candidate.strength)
