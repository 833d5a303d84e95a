"""``propose``, ``sign`` and ``proposals``: what needs two names."""

from typing import Annotated

import typer

from c360.cli.output import Json, show, table_of, tell
from lakehouse.lake.proposals import ProposalKind

By = Annotated[str, typer.Option(help="Your name or staff number.")]
Why = Annotated[str, typer.Option(help="The reason.")]


def propose(
    kind: Annotated[ProposalKind, typer.Argument(help="What it is.")],
    subject: Annotated[
        str, typer.Argument(help="A delivery or a day, a task, `identity`, or a file of rules as the audit names it.")
    ],
    by: By,
    why: Why,
) -> None:
    """Propose what overrides a rule or changes one; it has no effect until somebody else signs it."""
    from c360 import four_eyes
    from lakehouse.settings import Settings

    made = four_eyes.propose(Settings.from_env(), kind, subject, by, why)
    tell("proposal {number} waits for a second name: c360 sign {number}", number=made.number)


def sign(number: Annotated[int, typer.Argument(help="Of the proposal.")], by: By, why: Why) -> None:
    """Sign what somebody else has proposed, and let it have its effect."""
    from c360 import four_eyes
    from lakehouse.settings import Settings

    done = four_eyes.sign(Settings.from_env(), number, by, why)
    tell("proposal {number} ({subject}) is signed", number=done.number, subject=done.subject)


def list_proposals(json_: Json = False) -> None:
    """What was proposed, by whom and why, and who signed it."""
    from lakehouse.lake import proposals
    from lakehouse.settings import Settings

    found = proposals.read(Settings.from_env().lake)
    rows = [
        {"number": one.number, "kind": one.kind, "subject": one.subject, "by": one.by, "why": one.why, "at": one.at}
        | {"signed_by": one.signature.by if one.signature else None}
        for one in found
    ]
    show({"proposals": found}, json_, lambda: [table_of(rows)])
