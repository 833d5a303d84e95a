"""A late posting and a delivery sent again are in the files, and their manifests agree with them."""

import hashlib
import json
from datetime import date, timedelta
from pathlib import Path

from simulator import generate
from simulator.corrections import correct
from tests.simulator.bank_files import read

DAYS = [date(2024, 2, 1) + timedelta(days=n) for n in range(3)]


def test_one_posting_is_late_and_one_delivery_comes_twice(tmp_path: Path) -> None:
    generate(600, 1, 3, tmp_path, days=3)
    landing = tmp_path / "landing"
    assert len(correct(landing, *DAYS)) == 2
    postings = read(landing / "transactions" / f"transactions_{DAYS[1]}_v1.dat", "transactions")
    assert [row["business_date"] for row in postings].count(str(DAYS[0])) == 1
    first, again = (
        {row["ticket_id"]: row for row in read(landing / "branch_visits" / f"branch_visits_{DAYS[0]}_v{n}.dat", feed)}
        for n, feed in ((1, "branch_visits"), (2, "branch_visits"))
    )
    assert first.keys() == again.keys()
    assert sum(first[ticket] != again[ticket] for ticket in first) == 1
    for path in (
        landing / "transactions" / f"transactions_{DAYS[1]}_v1.manifest.json",
        landing / "branch_visits" / f"branch_visits_{DAYS[0]}_v2.manifest.json",
    ):
        manifest = json.loads(path.read_text())
        (file,) = manifest["files"]
        data = (path.parent / file["name"]).read_bytes()
        assert (file["bytes"], file["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
        assert manifest["row_count"] == len(data.splitlines()) - 1
    assert manifest["cutoff_at"].startswith(str(DAYS[2]))
