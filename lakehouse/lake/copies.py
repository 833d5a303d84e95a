"""Where copies of the bank's data lie, backups and exports: an erasure has to reach them. A file for each."""

import hashlib
import json
from pathlib import Path
from typing import Literal

from lakehouse.lake.files import write_json

Kind = Literal["vaults", "exports"]


def note_copy(lake: Path, kind: Kind, place: Path) -> None:
    """Remember a folder of backups, or an exported file or folder."""
    whole = str(place.resolve())
    path = lake / "copies" / kind / f"{hashlib.sha256(whole.encode()).hexdigest()[:12]}.json"
    if not path.exists():
        write_json(path, {"place": whole})


def known_copies(lake: Path, kind: Kind) -> list[Path]:
    """Every place that was ever written to, whether it is there or not."""
    return [Path(json.loads(path.read_text())["place"]) for path in sorted((lake / "copies" / kind).glob("[!.]*.json"))]
