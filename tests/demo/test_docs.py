"""The page that dbt writes about the models, as it is shipped with dbt and as the demonstration leaves it."""

import json
import re
import shutil
from pathlib import Path

from dbt.task.docs import DOCS_INDEX_FILE_PATH

from demo.docs import PLACEHOLDERS, filled_in

ADDRESS = re.compile(r"""\s(?:src|href|xlink:href)="[^"]*[{]""")  # of a picture or a page, that holds a placeholder


def test_the_page_asks_for_nothing_by_the_name_of_a_placeholder(tmp_path: Path) -> None:
    shipped = Path(DOCS_INDEX_FILE_PATH).read_text(encoding="utf-8")
    assert all(placeholder in shipped for placeholder in PLACEHOLDERS)
    shutil.copyfile(DOCS_INDEX_FILE_PATH, tmp_path / "index.html")
    described = {"unique_id": "seed.branches", "resource_type": "seed", "columns": {}}
    described |= {"schema": "main", "name": "branches", "database": "bank"}
    (tmp_path / "manifest.json").write_text(json.dumps({"nodes": {"seed.branches": described}, "sources": {}}))
    (tmp_path / "catalog.json").write_text("{}")
    page = filled_in(tmp_path / "static_index.html").read_text(encoding="utf-8")
    assert "seed.branches" in page
    assert ADDRESS.findall(page) == []
