"""Four eyes: what one person proposes has its effect when another signs it.

Of overrides of gates, changed rules, a re-key of identity, and which model scores. A bank of one person says
``four_eyes: false`` in its deployment.
"""

import re
from datetime import date, timedelta
from pathlib import Path

from c360.audit.rules import SWITCH, changed_rules, was_on
from lakehouse import ingestion, warehouse
from lakehouse.contracts import load_deployment
from lakehouse.errors import Stop
from lakehouse.ingestion.decisions import decision_of
from lakehouse.lake import proposals
from lakehouse.lake.model_files import newest_model
from lakehouse.lake.proposals import Proposal, ProposalKind
from lakehouse.settings import Settings


def is_on(settings: Settings) -> bool:
    """Whether the deployment asks for two names."""
    return load_deployment(settings.deployment).four_eyes


def propose(settings: Settings, kind: ProposalKind, subject: str, by: str, why: str) -> Proposal:
    """Keep what one person proposes, of the subject as it is now.

    Raises
    ------
    Stop
        If it lacks name or reason, or there is nothing of the subject to be proposed.
    """
    decision = decision_of(by, why)
    return proposals.propose(settings.lake, kind, subject, _content(settings, kind, subject), decision)


def sign(settings: Settings, number: int, by: str, why: str) -> Proposal:
    """Put the second name under a proposal, and let it have its effect.

    Raises
    ------
    Stop
        As `lakehouse.lake.proposals.sign`; if the subject is not what was proposed any more, or the effect fails.
    """
    decision, proposal = decision_of(by, why), proposals.find(settings.lake, number)
    if proposal.signature is None and _content(settings, proposal.kind, proposal.subject) != proposal.content:
        raise Stop(f"{proposal.subject} is not what was proposed any more", "propose it anew")
    last = warehouse.published_date(settings)
    counts_from = last + timedelta(days=1) if last else date.min
    signed = proposals.sign(settings.lake, number, decision, counts_from)
    _take_effect(settings, signed, decision.by)
    return signed


def require_signed_rules(settings: Settings) -> None:
    """Hold a run back whose rules are others than in the run before, unless each was proposed and signed.

    Where two names were asked for until now, that this is given up is a change of the deployment, and needs them.

    Raises
    ------
    Stop
        Naming the files and what to do.
    """
    if not (is_on(settings) or was_on(settings.lake)):
        return
    unsigned = [
        name
        for name, (old, new) in changed_rules(settings).items()
        if old is not None and name != SWITCH and not _is_signed(settings.lake, name, new or "")
    ]
    if unsigned:
        raise Stop(
            f"{', '.join(unsigned)}: changed since the last run, and not signed by a second person",
            "put it back, or c360 propose rule FILE --by NAME --why REASON and c360 sign NUMBER for each",
        )


def _is_signed(lake: Path, name: str, content: str) -> bool:
    return any(one.content == content for one in proposals.signed(lake, "rule", name))


def _content(settings: Settings, kind: ProposalKind, subject: str) -> str:
    """What exactly is proposed of a subject, as it is now; empty where the subject says it all."""
    match kind:
        case "rule":
            return _changed_rule(settings, subject)
        case "promotion":
            return _newest_version(settings, subject)
        case "rekey" if subject != "identity":
            raise Stop(f"{subject} has no key of its own", "c360 propose rekey identity")
        case _:
            return ""


def _changed_rule(settings: Settings, name: str) -> str:
    """The digest of a file of rules that is not what the last run had."""
    changed = changed_rules(settings)
    if name not in changed:
        raise Stop(f"{name} has not changed since the last run", f"changed are: {', '.join(changed) or 'none'}")
    return changed[name][1] or ""


def _newest_version(settings: Settings, task: str) -> str:
    """The version of the newest model: of the bank's tasks by its training date, of a table's by its number."""
    numbered = sorted((settings.lake / "models" / task).glob("v[0-9]*-*"))
    newest = newest_model(settings, task) or next(reversed(numbered), None)
    if newest is None:
        raise Stop(f"{task} has no model", "train one first: c360 ml train")
    return newest.name


def _take_effect(settings: Settings, signed: Proposal, second: str) -> None:
    """Do what was signed; of rules and promotions the next run looks for the signature."""
    match signed.kind:
        case "acceptance" if re.fullmatch(r"\d{4}-\d\d-\d\d", signed.subject):
            day = date.fromisoformat(signed.subject)
            ingestion.accept_silence(settings, day, signed.by, signed.why, second)
        case "acceptance":
            ingestion.accept(settings, signed.subject, signed.by, signed.why, second)
        case "retraction":
            ingestion.retract(settings, signed.subject, signed.by, signed.why, second)
        case "rekey":
            _rekey(settings)
        case "rule" | "promotion":
            pass


def _rekey(settings: Settings) -> None:
    """Train a new linkage model on all records: customers get new keys from the next run on."""
    from lakehouse.identity.explain import latest_pin
    from lakehouse.identity.link import retrain

    if retrain(settings, latest_pin(settings)) is None:
        raise Stop("the records cannot support a model", "see training in lakehouse/identity/linkage.yml")
