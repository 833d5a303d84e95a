"""Rules of the dbt project, read off its manifest: layers, keys, fan-in, names, descriptions, contracts, tests.

They are those of dbt's project evaluator, which comes from dbt's package hub and runs in the warehouse. dbt-bouncer
has most of them, too, but no exceptions with a reason that fail once they are not needed any more.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, StringConstraints

from lakehouse.yaml_files import read_yaml

PROJECT = Path(__file__).resolve().parents[1]
# Models ask for these while dbt parses; no date changes what the rules read.
VARIABLES = {"business_date": "2026-01-01", "from_date": "2026-01-01", "as_of_dates": []}
Rule = Literal["layers", "keys", "fan_in", "names", "descriptions", "contracts", "tests"]


class Layer(BaseModel):
    """One folder below ``models``."""

    model_config = ConfigDict(extra="forbid")

    reads: list[str]  # layers, "source" and "seed"
    names: str  # a regular expression for the whole name of a model
    contract: bool = False  # whether its models have an enforced contract


class Rules(BaseModel):
    """``dbt_rules.yml``."""

    model_config = ConfigDict(extra="forbid")

    layers: dict[str, Layer]
    tag_reads: dict[str, list[str]]  # what models with a tag may read besides
    key_tests: list[str]
    most_parents: int
    exceptions: dict[Rule, dict[str, Annotated[str, StringConstraints(min_length=20)]]]


@dataclass(frozen=True)
class Breach:
    """One breach of one rule; ``subject`` is what an exception names, whole or by a pattern such as ``int_*``."""

    rule: Rule
    subject: str
    text: str


@dataclass(frozen=True)
class Model:
    """What the rules read of one model."""

    name: str
    layer: str
    tags: frozenset[str]
    description: str
    columns: dict[str, str]  # name and description
    parents: tuple[tuple[str, str], ...]  # layer and name; "source" and "seed" stand as layers, too
    has_key: bool
    is_contracted: bool


def parse(dbt_project: Path) -> dict[str, Any]:
    """The manifest of a dbt project; dbt parses again only what has changed since the last time.

    Raises
    ------
    SystemExit
        If dbt cannot parse the project; what it says is printed.
    """
    target = dbt_project / "target"
    arguments = ["--project-dir", dbt_project, "--profiles-dir", dbt_project, "--target-path", target]
    arguments += ["--log-path", dbt_project / "logs", "--vars", json.dumps(VARIABLES)]
    dbt = Path(sys.executable).with_name("dbt")
    if subprocess.run([dbt, "--quiet", "parse", *arguments], check=False).returncode:
        raise SystemExit("dbt cannot parse the project: see above")
    return json.loads((target / "manifest.json").read_text())


def read_models(manifest: dict[str, Any], key_tests: list[str]) -> Iterator[Model]:
    """The models of a manifest. A key counts as tested if one of ``key_tests`` fails the build, not if it warns."""
    nodes = manifest["nodes"] | manifest["sources"]
    keyed = {
        node["attached_node"]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "test"
        and (node.get("test_metadata") or {}).get("name") in key_tests
        and node["config"]["severity"].lower() == "error"
    }

    def layer(identifier: str) -> str:
        kind = identifier.partition(".")[0]
        return nodes[identifier]["fqn"][1] if kind == "model" else kind

    for identifier, node in manifest["nodes"].items():
        if node["resource_type"] == "model":
            yield Model(
                name=node["name"],
                layer=layer(identifier),
                tags=frozenset(node["tags"]),
                description=node["description"].strip(),
                columns={name: column["description"].strip() for name, column in node["columns"].items()},
                parents=tuple(sorted({(layer(name), nodes[name]["name"]) for name in node["depends_on"]["nodes"]})),
                has_key=identifier in keyed,
                is_contracted=node["config"]["contract"]["enforced"],
            )


def judge(model: Model, rules: Rules) -> Iterator[Breach]:
    """Every breach of a rule by one model, exceptions not considered."""
    layer = rules.layers.get(model.layer)
    if layer is None:
        yield Breach("layers", model.name, f"there is no layer {model.layer!r}: {', '.join(rules.layers)}")
        return
    readable = layer.reads + [floor for tag in model.tags for floor in rules.tag_reads.get(tag, ())]
    for floor, parent in model.parents:
        if floor not in readable:
            text = f"{model.layer} reads {', '.join(readable)}, and not {floor}"
            yield Breach("layers", f"{model.name} reads {parent}", text)
    if not model.has_key:
        yield Breach("keys", model.name, f"no test says what one row is: {' or '.join(rules.key_tests)}")
    if len(model.parents) > rules.most_parents:
        text = f"reads {len(model.parents)} relations, and not at most {rules.most_parents}: part it"
        yield Breach("fan_in", model.name, text)
    if not re.fullmatch(layer.names, model.name):
        yield Breach("names", model.name, f"names in {model.layer} match {layer.names}")
    if not model.description:
        yield Breach("descriptions", model.name, "the model has no description")
    if not model.columns:
        yield Breach("descriptions", f"{model.name}.*", "no column is declared")
    for column, description in model.columns.items():
        if not description:
            yield Breach("descriptions", f"{model.name}.{column}", "the column has no description")
    if layer.contract and not model.is_contracted:
        yield Breach("contracts", model.name, f"models in {model.layer} have an enforced contract")


def judge_tests(manifest: dict[str, Any]) -> Iterator[Breach]:
    """Tests that no business date would run: dbt selects a test of several models only if it selects all of them."""
    for node in manifest["nodes"].values():
        if node["resource_type"] == "test" and len(node["depends_on"]["nodes"]) > 1 and not node["tags"]:
            yield Breach("tests", node["name"], "reads several models, so it names its business date's tag itself")


def uncovered(manifest: dict[str, Any], rules: Rules) -> list[Breach]:
    """Breaches that no exception covers, and exceptions that cover none."""
    every = [breach for model in read_models(manifest, rules.key_tests) for breach in judge(model, rules)]
    every += judge_tests(manifest)
    covering = {
        (rule, pattern): {breach for breach in every if breach.rule == rule and fnmatchcase(breach.subject, pattern)}
        for rule, patterns in rules.exceptions.items()
        for pattern in patterns
    }
    covered = {breach for breaches in covering.values() for breach in breaches}
    return [breach for breach in every if breach not in covered] + [
        Breach(rule, pattern, "the exception is not needed any more: take it out")
        for (rule, pattern), breaches in covering.items()
        if not breaches
    ]


def main() -> None:
    """Print every breach; exit with 1 if there is one."""
    rules = Rules.model_validate(read_yaml(Path(__file__).with_name("dbt_rules.yml")))
    failed = uncovered(parse(PROJECT / "dbt_project"), rules)
    for rule in get_args(Rule):
        for breach in sorted((each for each in failed if each.rule == rule), key=lambda each: each.subject):
            print(f"{rule}: {breach.subject}: {breach.text}")
    if failed:
        raise SystemExit(f"{len(failed)} breaches of checks/dbt_rules.yml: mend them, or add exceptions with a reason")


if __name__ == "__main__":
    main()
