"""What one person proposes and another signs, with a reason each: ``proposals/<number>.json`` and ``….signed.json``.

Without the second name a proposal has no effect. Both files are written once.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal, get_args

from lakehouse.errors import Stop
from lakehouse.lake.audit.chain import append, entry
from lakehouse.lake.deliveries import Decision
from lakehouse.lake.files import digest, json_text, write_new

ProposalKind = Literal["acceptance", "retraction", "promotion", "rekey", "rule"]
KINDS: tuple[ProposalKind, ...] = get_args(ProposalKind)


@dataclass(frozen=True)
class Signature:
    """The second name; the business date from which it counts is after all that was published when it was given."""

    by: str
    why: str
    at: str  # UTC
    counts_from: str
    proposal_sha256: str


@dataclass(frozen=True)
class Proposal:
    """What somebody proposes of a subject, as its content was then."""

    number: int
    kind: ProposalKind
    subject: str  # delivery or day, task, "identity", file of rules
    content: str  # what exactly: the model's version, the digest of the file; empty where the subject says it
    by: str
    why: str
    at: str  # UTC
    signature: Signature | None = None


def propose(lake: Path, kind: ProposalKind, subject: str, content: str, decision: Decision) -> Proposal:
    """Keep a proposal; of two at once each gets its own number."""
    while True:
        number = max((one.number for one in read(lake)), default=0) + 1
        made = Proposal(number, kind, subject, content, decision.by, decision.why, _now())
        text = json_text({name: value for name, value in asdict(made).items() if name != "signature"})
        try:
            write_new(_path(lake, number), text)
        except FileExistsError:
            continue
        detail = f"{number}: {kind} {content}".strip()  # the reason is free text, and readers see the audit
        append(lake, [entry("proposal", subject, decision.by, detail)])
        return made


def sign(lake: Path, number: int, decision: Decision, counts_from: date) -> Proposal:
    """Put the second name under a proposal.

    Raises
    ------
    Stop
        If there is no such proposal, it is signed, or the name is the one that proposed it.
    """
    proposal = find(lake, number)
    if same_name(proposal.by, decision.by):
        raise Stop(f"proposal {number} is {proposal.by}'s own", "somebody else has to sign it")
    seen = digest(_path(lake, number))
    given = Signature(decision.by, decision.why, _now(), str(counts_from), seen)
    try:
        write_new(_signature_path(lake, number), json_text(asdict(given)))
    except FileExistsError:
        raise Stop(f"proposal {number} is signed", "c360 proposals lists those that wait") from None
    detail = f"{number}: {proposal.kind}, proposed by {proposal.by}"
    append(lake, [entry("signature", proposal.subject, decision.by, detail, new=seen)])
    return find(lake, number)


def find(lake: Path, number: int) -> Proposal:
    """A proposal by its number.

    Raises
    ------
    Stop
        If there is none.
    """
    found = next((one for one in read(lake) if one.number == number), None)
    if found is None:
        raise Stop(f"there is no proposal {number}", "c360 proposals lists them")
    return found


def read(lake: Path) -> list[Proposal]:
    """All proposals, in their order.

    Raises
    ------
    Stop
        If one was changed after it was signed.
    """
    return [_read(path) for path in sorted((lake / "proposals").glob("[0-9]*[0-9].json"))]


def signed(lake: Path, kind: ProposalKind, subject: str, day: date = date.max) -> Iterator[Proposal]:
    """The proposals of a kind and subject that count on a business date, in the order of their numbers."""
    for one in read(lake):
        if one.kind == kind and one.subject == subject and one.signature and one.signature.counts_from <= str(day):
            yield one


def same_name(first: str, second: str) -> bool:
    """Whether two names are one person's, however they are written.

    >>> same_name("S0042", " s0042 "), same_name("S0042", "S0043")
    (True, False)
    """
    return "".join(first.split()).casefold() == "".join(second.split()).casefold()


def _read(path: Path) -> Proposal:
    raw = path.read_bytes()
    signature_path = path.with_suffix(".signed.json")
    signature = Signature(**json.loads(signature_path.read_text())) if signature_path.exists() else None
    proposal = Proposal(**json.loads(raw), signature=signature)
    if signature and hashlib.sha256(raw).hexdigest() != signature.proposal_sha256:
        raise Stop(f"{path} is not what was signed", "put it back from a backup; c360 audit verify says more")
    if signature and same_name(proposal.by, signature.by):
        raise Stop(f"{signature_path} has the name that proposed it", "remove it, and have somebody else sign")
    return proposal


def _path(lake: Path, number: int) -> Path:
    return lake / "proposals" / f"{number:06}.json"


def _signature_path(lake: Path, number: int) -> Path:
    return _path(lake, number).with_suffix(".signed.json")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
