"""A key that is given twice in a YAML file of ours is an error with its line: by default its last value would win."""

from pathlib import Path

import pytest
import yaml

from lakehouse.contracts import load_deployment, load_feeds
from lakehouse.errors import Stop
from lakehouse.settings import PROJECT
from lakehouse.yaml_files import read_yaml


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("one: 1\ntwo: 2\none: 3\n", "line 3, column 1"),
        ("outer:\n  - a: 1\n    b: {c: 1, c: 1}\n", "line 3, column 15"),
        ("2: a\n2: b\n", "line 2"),
    ],
)
def test_a_key_that_is_given_twice_is_an_error_with_its_place(tmp_path: Path, text: str, place: str) -> None:
    path = tmp_path / "file.yml"
    path.write_text(text)
    with pytest.raises(yaml.YAMLError, match="is given twice") as failure:
        read_yaml(path)
    assert place in str(failure.value)


def test_all_else_is_as_the_safe_loader_reads_it(tmp_path: Path) -> None:
    text = "base: &base {a: 1, b: 存款}\nmore:\n  <<: *base\n  a: 2\nday: 2026-01-01\n1: [x, 1.5, null, yes]\n"
    path = tmp_path / "file.yml"
    path.write_text(text, "utf-8")
    assert read_yaml(path) == yaml.safe_load(text)


def test_contract_and_deployment_name_file_and_line(tmp_path: Path) -> None:
    contract = (PROJECT / "feeds" / "feedback" / "adjustments.yml").read_text()
    (tmp_path / "feedback").mkdir()
    (tmp_path / "feedback" / "adjustments.yml").write_text(f"{contract}\nname: other\n")
    with pytest.raises(
        Stop, match=r"adjustments.yml: not a valid feed contract: the key 'name' is given twice"
    ) as told:
        load_feeds(tmp_path)
    assert f"line {len(contract.splitlines()) + 2}" in str(told.value)
    deployment = tmp_path / "bank.yml"
    deployment.write_text("name: bank\ncurrency: CNY\nrequired: [parties]\ncurrency: EUR\n")
    with pytest.raises(Stop, match=r"bank.yml cannot be read: the key 'currency' is given twice") as told:
        load_deployment(deployment)
    assert "line 4" in str(told.value)
