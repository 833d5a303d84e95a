"""Party records into clusters, as Splink's own introduction has it: comparisons and blocks from its library.

One table of all records, without labels: expectation maximisation from two blocks, prediction from three, clusters of
pairs from a probability of 0.95 on.
"""

import logging
from pathlib import Path
from time import perf_counter

import pandas as pd
import splink.comparison_library as cl
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

THRESHOLD = 0.95
RECALL = 0.7  # of the deterministic rules, a guess as in the introduction
PAIRS = 1e6  # from which chance agreement is estimated


def cluster(records: Path, clusters: Path) -> dict[str, float]:
    """Write ``party_key`` and ``customer_key``, the cluster, of every record; seconds by part.

    Parameters
    ----------
    records : Path
        Parquet file, one row per party record: ``party_key``, ``name``, ``birth_date`` (text), ``id_no``, ``phone``,
        ``email``, ``city``.
    """
    marks = [perf_counter()]
    linker = Linker(DuckDBAPI().register(pd.read_parquet(records)), _settings(), log_level=logging.ERROR)
    linker.training.estimate_probability_two_random_records_match(
        [block_on("id_no"), block_on("name", "birth_date")], recall=RECALL
    )
    linker.training.estimate_u_using_random_sampling(max_pairs=PAIRS)
    for block in (block_on("id_no"), block_on("phone")):
        linker.training.estimate_parameters_using_expectation_maximisation(block)
    marks.append(perf_counter())
    pairs = linker.inference.predict(threshold_match_probability=0.5)
    marks.append(perf_counter())
    joined = linker.clustering.cluster_pairwise_predictions_at_threshold(pairs, threshold_match_probability=THRESHOLD)
    named = joined.as_pandas_dataframe().rename(columns={"cluster_id": "customer_key"})
    named[["party_key", "customer_key"]].to_parquet(clusters)
    marks.append(perf_counter())
    parts = zip(("train", "predict", "cluster"), marks, marks[1:], strict=False)
    return {name: end - start for name, start, end in parts}


def _settings() -> SettingsCreator:
    return SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name="party_key",
        comparisons=[
            cl.NameComparison("name"),
            cl.DateOfBirthComparison("birth_date", input_is_string=True),
            cl.ExactMatch("id_no"),
            cl.ExactMatch("phone"),
            cl.EmailComparison("email"),
            cl.ExactMatch("city").configure(term_frequency_adjustments=True),
        ],
        blocking_rules_to_generate_predictions=[block_on("id_no"), block_on("phone"), block_on("name")],
    )
