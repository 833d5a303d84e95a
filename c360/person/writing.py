"""The record as files: a page to read, JSON for a program, and the schema of the JSON; only their owner reads them."""

import json
from collections.abc import Mapping
from pathlib import Path

from c360.person.page import page
from c360.person.record import Record
from lakehouse.lake.copies import note_copy
from lakehouse.language import Language
from lakehouse.settings import Settings
from lakehouse.warehouse.exporting import OWNER_READS, appearing_in_place_of, refuse_to_replace

PAGE, DOCUMENT, SCHEMA = "person.html", "person.json", "person.schema.json"


def schema() -> Mapping[str, object]:
    """The JSON Schema of the machine form."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Record.model_json_schema()}


def write(settings: Settings, record: Record, folder: Path, language: Language, force: bool) -> None:
    """Write the three files into a folder that appears whole, and let the lake know of it: an erasure removes it.

    Raises
    ------
    Stop
        If the folder is there and not to be replaced.
    """
    refuse_to_replace(folder, force)
    note_copy(settings.lake, "exports", folder)  # before anything is in it: a copy that nobody knows of would stay
    with appearing_in_place_of(folder) as temporary:
        for name, text in (
            (PAGE, page(record, language)),
            (DOCUMENT, record.model_dump_json(indent=1)),
            (SCHEMA, json.dumps(schema(), indent=1)),
        ):
            path = temporary / name
            path.touch(mode=OWNER_READS)
            path.write_text(text, encoding="utf-8")
