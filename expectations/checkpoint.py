"""Great Expectations: suites from YAML, one checkpoint over the frames of a gate, and what came of it."""

import logging
from datetime import date
from pathlib import Path

import great_expectations as gx
import pyarrow as pa
from great_expectations.data_context import EphemeralDataContext
from great_expectations.data_context.types.base import DataContextConfig, ProgressBarsConfig
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
from great_expectations.expectations.row_conditions import Column

from expectations import SUITES
from expectations.overview import columns_of, limits, observed, subject
from lakehouse.yaml_files import read_yaml

EXAMPLES = 5
logging.getLogger("great_expectations").setLevel(logging.WARNING)  # it logs every class that it registers


def validate(docs: Path, gate: str, business_date: date, frames: dict[str, pa.Table]) -> tuple[list, int]:
    """Check each frame against the suite of its name, and keep the results.

    Its own Data Docs are not written: their pages fetch style and scripts from the internet, and call a warning failed.

    Parameters
    ----------
    docs
        Folder of the gate's results and pages.
    frames
        Suite name -> frame; the frame's first column names its rows in findings. Empty frames are left out.

    Returns
    -------
    findings, checks
        The expectations that were not met (fields of ``gates.Finding``), and how many were checked.

    Raises
    ------
    RuntimeError
        If an expectation could not be computed: a suite that names a column which its frame lacks must not pass.
    """
    context = _context(docs)
    frames = {name: frame.to_pandas() for name, frame in frames.items() if frame.num_rows}
    source = context.data_sources.add_pandas(gate)
    outcomes = []
    for name, frame in frames.items():
        suite = context.suites.add(load_suite(name))
        batch = source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("all")
        definition = gx.ValidationDefinition(name=name, data=batch, suite=suite)
        checkpoint = context.checkpoints.add(
            gx.Checkpoint(
                name=name,
                validation_definitions=[context.validation_definitions.add(definition)],
                result_format={
                    "result_format": "SUMMARY",
                    "unexpected_index_column_names": [frame.columns[0]],
                    "partial_unexpected_count": EXAMPLES,
                },
            )
        )
        run = checkpoint.run(
            batch_parameters={"dataframe": frame}, run_id=gx.RunIdentifier(run_name=str(business_date))
        )
        outcomes += [(name, result) for validated in run.run_results.values() for result in validated.results]
    findings = [_finding(name, result, frames[name].columns[0]) for name, result in outcomes if not result.success]
    return findings, len(outcomes)


def load_suite(name: str) -> gx.ExpectationSuite:
    """The suite ``suites/<name>.yml``.

    Raises
    ------
    ValueError
        If an expectation lacks a key: type, arguments, severity, why it is there and what to do if it is not met, both
        in Chinese, too.
    """
    raw = read_yaml(SUITES / f"{name}.yml")
    for item in raw["expectations"]:
        if missing := {"type", "kwargs", "severity", "why", "what_to_do", "zh"} - set(item):
            raise ValueError(f"suites/{name}.yml: {item.get('type')} lacks {', '.join(sorted(missing))}")
    return gx.ExpectationSuite(
        name=name,
        meta={"notes": raw["purpose"]},
        expectations=[
            ExpectationConfiguration(
                type=item["type"],
                kwargs=item["kwargs"] | (_only(**item["rows"]) if "rows" in item else {}),
                severity=item["severity"],
                meta={
                    "what_to_do": item["what_to_do"],
                    "why_zh": item["zh"]["why"],
                    "what_to_do_zh": item["zh"]["what_to_do"],
                    "notes": {"format": "markdown", "content": [item["why"], f"**If not met:** {item['what_to_do']}"]},
                },
            ).to_domain_obj()
            for item in raw["expectations"]
        ],
    )


def _only(column: str, value: object) -> dict:
    """Restrict an expectation to the rows in which the column has the value."""
    return {"row_condition": Column(column) == value}


def _finding(suite: str, result: gx.core.ExpectationValidationResult, key: str) -> dict:
    config = result.expectation_config
    assert config is not None, "every result of a suite names its expectation"
    if any(isinstance(info, dict) and info.get("raised_exception") for info in _exceptions(result)):
        raise RuntimeError(f"suite {suite}: {config.type} {config.kwargs} could not be computed: {_exceptions(result)}")
    bounds = limits(config.kwargs)
    return {
        "suite": suite,
        "expectation": f"{config.type} ({bounds})" if bounds else config.type,
        "subject": subject(config.kwargs),
        "observed": observed(result.result, columns_of(config.kwargs), key),
        "severity": config.severity,
        "what_to_do": config.meta["what_to_do"],
    }


def _exceptions(result: gx.core.ExpectationValidationResult) -> list:
    info = result.exception_info or {}
    return [info] if "raised_exception" in info else list(info.values())


def _context(docs: Path) -> EphemeralDataContext:
    def files(folder: Path) -> dict:
        return {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder)}

    memory = {"class_name": "InMemoryStoreBackend"}
    config = DataContextConfig(
        config_version=4.0,
        stores={
            "expectations_store": {"class_name": "ExpectationsStore", "store_backend": memory},
            "validation_definition_store": {"class_name": "ValidationDefinitionStore", "store_backend": memory},
            "checkpoint_store": {"class_name": "CheckpointStore", "store_backend": memory},
            "results_store": {"class_name": "ValidationResultsStore", "store_backend": files(docs / ".results")},
        },
        expectations_store_name="expectations_store",
        checkpoint_store_name="checkpoint_store",
        validation_results_store_name="results_store",
        data_docs_sites={},
        progress_bars=ProgressBarsConfig(globally=False),
        analytics_enabled=False,
    )
    return gx.get_context(mode="ephemeral", project_config=config)
