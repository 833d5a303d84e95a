"""The head of the audit, kept where nobody who can write the lake can change it: a folder, a webhook, a log."""

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from lakehouse.activation.contract import Webhook
from lakehouse.activation.targets import Unreachable, Unusable
from lakehouse.activation.targets.webhook import posting
from lakehouse.errors import Stop
from lakehouse.lake import audit
from lakehouse.lake.audit import Head
from lakehouse.settings import Settings

STDOUT = "stdout"
REMEDY = "name a file or folder that c360 audit anchor wrote"


def anchor(settings: Settings, by: str | None = None) -> Head:
    """Seal what is new of the lake's records, and write the head of the audit to the place of ``audit_anchor``.

    A head that is there stays as it is.

    Raises
    ------
    Stop
        If no place is set, or it does not take the head.
    """
    place = settings.audit_anchor
    if not place:
        raise Stop("no place for anchors is set", "set C360_AUDIT_ANCHOR to a folder, an https:// address or stdout")
    audit.seal(settings.lake, by)
    head = audit.head(settings.lake)
    content: dict[str, object] = {**asdict(head), "anchored_at": datetime.now(UTC).isoformat(timespec="seconds")}
    if place == STDOUT:
        sys.stdout.write(json.dumps(content) + "\n")
    elif place.startswith(("http://", "https://")):
        _post(settings, place, content, head)
    else:
        _write(Path(place), content, head)
    return head


def close(settings: Settings, run_id: str) -> list[str]:
    """Seal what a publish has left, and anchor it if a place is set; returns why it is not.

    Readers have the day whether or not the place answers.
    """
    audit.seal(settings.lake, run_id)
    try:
        if settings.audit_anchor:
            anchor(settings, run_id)
    except Stop as failure:
        return [str(failure)]
    return []


def anchors_in(place: Path) -> list[Head]:
    """The heads of an anchor's file, or of all in a folder; a file may hold one or a line for each, as a log does.

    Raises
    ------
    Stop
        If there is none, or a line is no anchor.
    """
    files = sorted(place.glob("[!.]*.json")) if place.is_dir() else [place]
    heads = []
    for file in files:
        try:
            for line in filter(None, file.read_text().splitlines()):
                raw = json.loads(line)
                heads.append(Head(int(raw["number"]), str(raw["hash"])))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Stop(f"{file} is no anchor of the audit", REMEDY) from error
    if not heads:
        raise Stop(f"{place} holds no anchor", REMEDY)
    return heads


def _write(folder: Path, content: dict[str, object], head: Head) -> None:
    path = folder / f"{head.number:012}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("x") as file:
            file.write(json.dumps(content) + "\n")
    except FileExistsError:
        if anchors_in(path) != [head]:
            raise Stop(f"{path} anchors another audit", "look into it: c360 audit verify --anchor says more") from None
    except OSError as error:
        raise Stop(f"the anchor {path} cannot be written: {error.strerror}", "correct C360_AUDIT_ANCHOR") from error


def _post(settings: Settings, url: str, content: dict[str, object], head: Head) -> None:
    try:
        with posting(settings, Webhook(kind="webhook", url=url)) as post:
            status = post(content, head.hash).status_code
    except (Unreachable, Unusable) as error:
        raise Stop(f"the anchor was not taken: {error}", "correct C360_AUDIT_ANCHOR, then c360 audit anchor") from error
    if not 200 <= status < 300:
        raise Stop(f"the anchor was not taken: {url} answers {status}", "correct C360_AUDIT_ANCHOR")
