"""Which folders of backups the bank has: an erasure has to reach them. A file for each, in the lake."""

import hashlib
import json
from pathlib import Path

from lakehouse.lake.files import write_json

FOLDER = "vaults"


def note_vault(lake: Path, folder: Path) -> None:
    """Remember a folder of backups."""
    path = lake / FOLDER / f"{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}.json"
    if not path.exists():
        write_json(path, {"folder": str(folder)})


def known_vaults(lake: Path) -> list[Path]:
    """Every folder of backups that was ever written to."""
    return [Path(json.loads(path.read_text())["folder"]) for path in sorted((lake / FOLDER).glob("[!.]*.json"))]
