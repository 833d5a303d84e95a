"""What is to be done today, once per action: for whom, why, how likely, for how much money, by whom, and by when."""

import csv
import io
from dataclasses import dataclass
from datetime import date

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from c360.reports import Row
from c360.reports.pages import money, render
from lakehouse import warehouse
from lakehouse.errors import Stop
from lakehouse.language import ENGLISH, Language, Voice
from lakehouse.settings import Settings
from lakehouse.spreadsheets import plain

LEAST_SHOWN = 0.005  # of a probability: below it, whole percents say nought
COLUMNS = (
    "action_id, customer_key, business_date, source, urgency, priority, action_en, action_zh, reason_en, reason_zh, "
    "probability, basis, amount_at_stake, expected_amount, channel, owner, rm_id, branch_code, due_date, arm, "
    "action_state, reported_date"
)
REACHED = ("done", "promised", "refused")  # states of an action that nobody need call about again
_ORDER = (
    f"order by action_state in {REACHED}, priority, expected_amount desc nulls last, "
    "amount_at_stake desc nulls last, action_id"
)
_TO_DO = f"select {COLUMNS} from actions.worklist where is_handed_out and {{whose}} {_ORDER}"
_HELD_BACK = """
    select coalesce(block_reason, 'control group') as reason, count(*) as actions
    from actions.worklist
    where not is_handed_out and {whose}
    group by 1
    order by actions desc, reason
"""


class NoSuchList(Stop):
    """No customer has that branch or relationship manager on the published date."""


@dataclass(frozen=True)
class WorklistReport:
    """The actions of a branch, of a relationship manager, or of the bank; the most pressing first."""

    whose: str  # "branch B0003", "manager R012" or "the bank"
    branch: str | None
    rm: str | None
    as_of_date: date
    actions: list[Row]  # of actions.worklist, those handed out
    held_back: dict[str, int]  # why not -> actions that are not handed out

    def title(self, say: Voice = ENGLISH) -> str:
        """Whose list it is, and of which day."""
        if self.branch:
            return say("Worklist of branch {code} on {date}", code=self.branch, date=self.as_of_date)
        if self.rm:
            return say("Worklist of manager {number} on {date}", number=self.rm, date=self.as_of_date)
        return say("Worklist of the bank on {date}", date=self.as_of_date)

    def summary(self, say: Voice = ENGLISH) -> str:
        """How much there is to do, and what is held back for which reasons, in a line."""
        reasons = say.listed([f"{say.code(reason)} {count:,}" for reason, count in self.held_back.items()])
        to_do = say("{count} to do", count=f"{len(self.actions):,}") if self.actions else say("nothing to do")
        if not reasons:
            return say("{to_do}; nothing is held back", to_do=to_do)
        return say("{to_do}; held back: {reasons}", to_do=to_do, reasons=reasons)


def read(settings: Settings, branch: str | None = None, rm: str | None = None) -> WorklistReport:
    """The published worklist.

    Parameters
    ----------
    branch : str, optional
        Only actions for customers of this branch.
    rm : str, optional
        Only actions for customers of this relationship manager. At most one of the two may be given.

    Raises
    ------
    Stop
        If nothing is published yet, or both are given.
    NoSuchList
        If no customer has that branch or manager.
    """
    if branch and rm:
        raise Stop("a worklist is that of a branch or of a manager", "give --branch or --rm, not both")
    as_of_date = warehouse.last_published(settings)
    column, value = ("rm_id", rm) if rm else ("branch_code", branch)
    if value:
        known = f"select 1 from actions.contact_policy where {column} = $1 limit 1"
        if not warehouse.query_serving(settings, known, (value,)).num_rows:
            raise NoSuchList(
                f"no customer has the {'manager' if rm else 'branch'} {value} today",
                f"the column {column} of actions.contact_policy lists those that have customers",
            )
    whose = f"{column} = $1" if value else "true"
    given = (value,) if value else ()
    actions = warehouse.query_serving(settings, _TO_DO.format(whose=whose), given).to_pylist()
    held_back = warehouse.query_serving(settings, _HELD_BACK.format(whose=whose), given).to_pylist()
    return WorklistReport(
        f"{'manager' if rm else 'branch'} {value}" if value else "the bank",
        branch,
        rm,
        as_of_date,
        actions,
        {row["reason"]: row["actions"] for row in held_back},
    )


def tables(report: WorklistReport, language: Language = "en") -> list[RenderableType]:
    """The list, one line per action, and what is held back."""
    say = Voice(language)
    if not report.actions:
        return [Text.assemble((report.title(say), "bold"), f"  {report.summary(say)}")]
    return [actions_table(report.title(say), report.actions, say), report.summary(say)]


def actions_table(title: str, actions: list[Row], say: Voice = ENGLISH) -> Table:
    """Actions of the worklist, a few lines each, that fit a terminal of 80 columns."""
    table = Table(title=title, title_justify="left", title_style="bold", show_lines=True)
    table.add_column(say("Customer"), no_wrap=True)
    table.add_column(say("What, and why"), min_width=24)
    table.add_column(say("Chance"), justify="right", no_wrap=True)
    table.add_column(say("At stake,\nexpected"), justify="right", no_wrap=True)
    table.add_column(say("Who, over,\nuntil"), no_wrap=True)
    for row in actions:
        state = "" if row["action_state"] == "open" else f" ({say.code(row['action_state'])})"
        why = say.of(row, "reason") or say("no reason given")
        table.add_row(
            row["customer_key"],
            Text.assemble((say.of(row, "action") + state, "bold"), f"\n{why}"),
            chance(row, say),
            f"{money(row['amount_at_stake'])}\n{money(row['expected_amount'])}",
            f"{owner(row, say)}\n{say.code(row['channel'])}\n{row['due_date']}",
        )
    return table


def chance(action: Row, say: Voice = ENGLISH) -> str:
    """How likely is what the list is about (arrears, leaving, buying, joining), or that it is a fact.

    >>> [chance({"basis": "score", "probability": share}) for share in (0.001, 0.4, 0.999)]
    ['<1 %', '40 %', '>99 %']
    """
    share = action["probability"]
    if share is None:
        return say.code(action["basis"])
    if 0 < share < LEAST_SHOWN:
        return f"<{say.percent(0.01)}"
    return f">{say.percent(0.99)}" if 1 - LEAST_SHOWN < share < 1 else say.percent(share)


def owner(action: Row, say: Voice = ENGLISH) -> str:
    """Who does it, by name where it is a relationship manager."""
    return action["rm_id"] if action["owner"] == "rm" and action["rm_id"] else say.code(action["owner"])


def page(report: WorklistReport, language: Language = "en") -> str:
    """The list as one HTML page."""
    say = Voice(language)
    return render(
        "worklist.html.j2",
        say,
        report=report,
        chance=lambda action: chance(action, say),
        owner=lambda action: owner(action, say),
    )


def lines(report: WorklistReport) -> str:
    """The list as CSV, with a heading; an apostrophe sets off what a spreadsheet would take for a formula."""
    out = io.StringIO()
    names = COLUMNS.split(", ")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([plain(row[name]) for name in names] for row in report.actions)
    return out.getvalue()
