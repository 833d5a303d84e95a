"""What the recommendations are worth: those of past month-ends, by what was known then, against what was bought after.

Each line's newest model speaks on its test months, which nothing of it has seen; suitability is the view that the
recommendations of today come from.
"""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from rich.table import Table

from lakehouse import warehouse
from lakehouse.errors import Stop
from lakehouse.lake.model_files import newest_model
from lakehouse.settings import Settings
from lakehouse.sql import literal
from ml_jobs.learning.metrics import bootstrap_weights, interval
from ml_jobs.registry.model import load
from ml_jobs.scores.data import labelled_months, read_features
from ml_jobs.task_file import Task, load_tasks

LENGTH = 3  # products per customer
MONTHS = 3
ROW = ["as_of_date", "customer_key"]
BASELINES = ("popularity", "similar_customers", "last_held")


def evaluate(settings: Settings) -> dict[str, Any]:
    """Judge the recommendations of the last month-ends whose purchases are known.

    Returns
    -------
    dict
        ``as_of_dates``, ``rows`` (customers at month-ends), ``buyers`` (those who bought within 90 days), ``models``
        (version per line, or none where popularity stands in), ``figures`` (of buyers: MAP and hit rate at 3, by what
        counts as a hit: the product, a product not held before, the line; and the yearly margin of what could be placed
        in products that were listed and bought), ``better_than`` (paired differences of the recommendations from each
        baseline), ``coverage`` and ``diversity``. Figures carry a 95 % interval from a bootstrap over customers.

        The baselines: ``popularity``, what the bank sold most in the 90 days before; ``similar_customers``, what those
        of the same risk rating and star tier bought most, of what suits; ``last_held``, what the customer bought last.
        ``by_value`` are the recommendations without the preferences of risk profiles, ``by_probability`` without value,
        too.

    Raises
    ------
    ValueError
        If no month-end has ripe purchases yet.
    """
    tasks = {task.label: task for name, task in load_tasks().items() if name.startswith("propensity_")}
    folders = {line: newest_model(settings, task.task) for line, task in tasks.items()}
    models = {line: load(folder, settings.token_secret) for line, folder in folders.items() if folder is not None}
    dates = _judged_dates(settings, next(iter(tasks.values())), models)
    candidates = _frame(settings, "int_recommendation__candidates", dates)
    candidates = candidates.merge(_propensities(settings, tasks, models, dates), "left", [*ROW, "product_line"])
    candidates["probability"] = (candidates.propensity * candidates.line_share).fillna(candidates.popularity)
    held = _frame(settings, "int_customer__products_known_on_as_of_dates", dates)
    bought = _frame(settings, "int_customer__purchases_known_on_ripe_dates", dates)
    customers = _frame(settings, "label_product_purchase", dates, schema="build_features")[ROW]
    lists = {
        "recommended": recommended(candidates),
        "by_value": _best(candidates.assign(worth=candidates.probability * candidates.value_amount), "worth"),
        "by_probability": _best(candidates, "probability"),
        "popularity": customers.merge(_sold_most(held), on="as_of_date"),
        "similar_customers": _best(candidates, "popularity"),
        "last_held": _best(held, "last_start_date"),
    }
    newly = bought.merge(held[held.is_held == 1][[*ROW, "product_code"]], "left", indicator="held")
    newly = newly[newly.held == "left_only"]
    targets = {
        "product": ("product_code", bought),
        "product_not_held": ("product_code", newly),
        "line": ("product_line", bought),
    }
    worth = candidates[[*ROW, "product_code", "value_amount"]]
    lists = {
        name: chosen[[*ROW, "product_code", "product_line"]].merge(worth, "left") for name, chosen in lists.items()
    }
    figures, better_than = {}, {}
    for target, (column, hits) in targets.items():
        judged = {name: _hits(chosen, hits, column) for name, chosen in lists.items()}
        weights = bootstrap_weights(judged["recommended"].customer_key.to_numpy())
        lines = {name: _means(rows, weights) for name, rows in judged.items()}
        figures[target] = {name: _told(found) for name, found in lines.items()}
        better_than[target] = {
            name: _told({key: lines["recommended"][key] - lines[name][key] for key in lines[name]})
            for name in BASELINES
        }
    return {
        "as_of_dates": [str(day) for day in dates],
        "rows": len(customers),
        "buyers": len(bought[ROW].drop_duplicates()),
        "models": {line: models[line].card["model_version"] if line in models else None for line in tasks},
        "figures": figures,
        "better_than": better_than,
        "coverage": _coverage(lists["recommended"], candidates, len(customers)),
        "diversity": _diversity(lists["recommended"]),
    }


def recommended(candidates: pd.DataFrame) -> pd.DataFrame:
    """The lists as `scores.product_recommendations` makes them, from candidates with a ``probability``."""
    worth = candidates.probability * candidates.value_amount * candidates.preference
    placed = _ordered(candidates.assign(worth=worth, is_preferred=candidates.preference > 1), "worth")
    placed["place"] = placed.groupby(ROW).cumcount() + 1
    is_first = placed.is_preferred & (placed.groupby([*ROW, "is_preferred"]).cumcount() == 0)
    placed["is_second_choice"] = ~((placed.place < LENGTH) | is_first)
    chosen = placed.sort_values([*ROW, "is_second_choice", "place"]).groupby(ROW).head(LENGTH)
    return chosen.sort_values([*ROW, "place"])


def tables(found: dict[str, Any]) -> Iterator[Table | str]:
    """The figures for a person."""
    yield (
        f"[bold]recommendations[/]  of {', '.join(found['as_of_dates'])}: {found['rows']:,} customers at month-ends, "
        f"{found['buyers']:,} bought within 90 days"
    )
    for target, lines in found["figures"].items():
        table = Table(title=f"A hit is the {target.replace('_', ' ')}: value, and 95 % interval", title_justify="left")
        for name in ("", *next(iter(lines.values()))):
            table.add_column(name.replace("_", " "))
        for name, figures in lines.items():
            table.add_row(name.replace("_", " "), *map(_shown, figures.values()))
        for name, figures in found["better_than"][target].items():
            table.add_row(f"recommended less {name.replace('_', ' ')}", *map(_shown, figures.values()))
        yield table
    for name in ("coverage", "diversity"):
        yield f"{name}: " + ", ".join(f"{key.replace('_', ' ')} {value:.3f}" for key, value in found[name].items())


def _judged_dates(settings: Settings, task: Task, models: dict) -> list[date]:
    """The test months of the models; without a model the last ripe month-ends."""
    tested = [set(model.card["months"]["test"]["as_of_dates"]) for model in models.values()]
    if tested:
        return sorted(map(date.fromisoformat, set.intersection(*tested)))
    state = warehouse.read_state(settings)
    months = labelled_months(settings, task, state.business_date) if state else []
    if not months:
        raise Stop("no month-end has ripe purchases yet: run the pipeline over more than 90 days first")
    return [month.as_of_date for month in months[-MONTHS:]]


def _frame(settings: Settings, table: str, dates: list[date], schema: str = "build_intermediate") -> pd.DataFrame:
    days = ", ".join(map(literal, dates))
    return warehouse.query(settings, f"select * from {schema}.{table} where as_of_date in ({days})").to_pandas()


def _propensities(settings: Settings, tasks: dict[str, Task], models: dict, dates: list[date]) -> pd.DataFrame:
    frames = [pd.DataFrame({name: pd.Series(dtype="object") for name in (*ROW, "product_line", "propensity")})]
    for line, model in models.items():
        for day in dates:
            rows = read_features(settings, tasks[line], model.columns, day)
            probability = model.probability(model.margin(rows.values))
            frames.append(
                pd.DataFrame(
                    {"as_of_date": day, "customer_key": rows.customer, "product_line": line, "propensity": probability}
                )
            )
    return pd.concat(frames).astype({"propensity": float})


def _ordered(rows: pd.DataFrame, by: str) -> pd.DataFrame:
    return rows.sort_values([*ROW, by, "product_code"], ascending=[True, True, False, True])


def _best(rows: pd.DataFrame, by: str) -> pd.DataFrame:
    return _ordered(rows, by).groupby(ROW).head(LENGTH)


def _sold_most(held: pd.DataFrame) -> pd.DataFrame:
    by = ["as_of_date", "product_code", "product_line"]
    sold = held.groupby(by).purchase_count_90d.sum().reset_index()
    sold = sold.sort_values(["as_of_date", "purchase_count_90d", "product_code"], ascending=[True, False, True])
    return sold.groupby("as_of_date").head(LENGTH)


def _hits(lists: pd.DataFrame, bought: pd.DataFrame, column: str) -> pd.DataFrame:
    """Average precision, hit and margin of every buyer's list; a buyer without a list has none of them."""
    relevant = bought[[*ROW, column]].drop_duplicates()
    listed = lists.drop_duplicates([*ROW, column])
    listed = listed.assign(position=listed.groupby(ROW).cumcount() + 1)
    found = listed.merge(relevant, on=[*ROW, column])
    found["precision"] = (found.groupby(ROW).cumcount() + 1) / found.position
    buyers = relevant.groupby(ROW).size().rename("relevant").reset_index()
    sums = found.groupby(ROW).agg(
        precisions=("precision", "sum"), hit=("position", "size"), margin=("value_amount", "sum")
    )
    rows = buyers.merge(sums.reset_index(), "left", ROW).fillna({"precisions": 0, "hit": 0, "margin": 0})
    rows["average_precision"] = rows.precisions / np.minimum(rows.relevant, LENGTH)
    return rows.assign(hit=(rows.hit > 0).astype(float)).sort_values(ROW)


def _means(rows: pd.DataFrame, weights: np.ndarray) -> dict[str, np.ndarray]:
    total = weights.sum(axis=1)
    return {
        f"map_at_{LENGTH}": weights @ rows.average_precision.to_numpy() / total,
        f"hit_rate_at_{LENGTH}": weights @ rows.hit.to_numpy() / total,
        f"margin_at_{LENGTH}": weights @ rows.margin.to_numpy() / total,
    }


def _told(lines: dict[str, np.ndarray]) -> dict[str, dict[str, float]]:
    return {name: asdict(interval(values)) for name, values in lines.items()}


def _coverage(lists: pd.DataFrame, candidates: pd.DataFrame, customers: int) -> dict[str, float]:
    return {
        "customers": len(lists[ROW].drop_duplicates()) / customers,
        "products": lists.product_code.nunique() / candidates.product_code.nunique(),
    }


def _diversity(lists: pd.DataFrame) -> dict[str, float]:
    """Lines per list; the share of the commonest product; how many products, evenly recommended, would vary as much."""
    share = lists.product_code.value_counts(normalize=True).to_numpy()
    return {
        "lines_per_customer": float(lists.groupby(ROW).product_line.nunique().mean()),
        "largest_share": float(share.max()),
        "effective_products": float(np.exp(-(share * np.log(share)).sum())),
    }


def _shown(figure: dict[str, float]) -> str:
    return " ".join(f"{figure[name]:.3g}" for name in ("value", "low", "high"))
