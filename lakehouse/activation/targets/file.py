"""File drop: the changes of a plan as JSON lines, and a manifest that appears after them."""

import hashlib
from collections.abc import Generator
from contextlib import contextmanager

from pydantic_core import to_json

from lakehouse.activation.contract import Activation, FileDrop
from lakehouse.activation.targets import Batch, Deliver, Unreachable
from lakehouse.lake.files import appearing, write_json
from lakehouse.settings import Settings


@contextmanager
def opened(settings: Settings, activation: Activation) -> Generator[Deliver]:
    """Each batch is a file, named by plan and place: written twice, it is the same file."""
    target = activation.target
    assert isinstance(target, FileDrop)
    folder = settings.outbox / target.folder

    def deliver(batch: Batch) -> list[int]:
        header = batch.header
        name = f"{activation.name}-{header['publish_id']:06d}-{header['number']:06d}-{batch.first:09d}"
        lines = b"".join(to_json(event) + b"\n" for event in batch.events)
        manifest = {
            "activation": activation.name,
            "batch_id": batch.id,
            "publish_id": header["publish_id"],
            "business_date": header["business_date"],
            "file": f"{name}.jsonl",
            "changes": len(batch.changes),
            "sha256": hashlib.sha256(lines).hexdigest(),
        }
        try:
            with appearing(folder / f"{name}.jsonl") as temporary:
                temporary.write_bytes(lines)
            write_json(folder / f"{name}.manifest.json", manifest)
        except OSError as error:
            raise Unreachable(f"{folder}: {error.strerror}") from error
        return []

    yield deliver
