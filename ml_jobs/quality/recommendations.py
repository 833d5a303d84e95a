"""Quality of the recommendations: those of past month-ends, as of what was known then, against later purchases.

The newest model of each product line predicts its test months, which it was not fitted to. Which products are suitable
comes from the view that today's recommendations use.
"""

from collections.abc import Iterator
from datetime import date
from typing import TypedDict

import numpy as np
import pandas as pd
from rich.table import Table

from lakehouse import warehouse
from lakehouse.errors import Stop
from lakehouse.lake.model_files import newest_model
from lakehouse.language import ENGLISH, Voice
from lakehouse.settings import Settings
from lakehouse.sql import literal
from ml_jobs.learning.metrics import Figure, bootstrap_weights, figure, weighted_means
from ml_jobs.registry.model import Model, load
from ml_jobs.scores.data import labelled_months, read_features
from ml_jobs.task_file import Task, load_tasks

LENGTH = 3  # products per customer
MONTHS = 3
ROW = ["as_of_date", "customer_key"]
BASELINES = ("popularity", "similar_customers", "last_held")
LEAVING = "deposit_churn"  # the score that says whose deposits leave anyway
PURCHASES = "label_product_purchase"  # whose columns are the product lines: the tasks of these labels are recommended

Figures = dict[str, Figure]  # by metric


class Coverage(TypedDict):
    """Shares of the customers, and of the products, that are in a list."""

    customers: float
    products: float


class Diversity(TypedDict):
    """How varied the lists are.

    ``effective_products`` is how many products, recommended equally often, would be as varied.
    """

    lines_per_customer: float
    largest_share: float
    effective_products: float


class RecommendationQuality(TypedDict):
    """Recommendations and baselines on past month-ends; intervals are from a bootstrap over customers."""

    as_of_dates: list[str]
    rows: int  # customers at month-ends
    buyers: int  # who bought within 90 days
    models: dict[str, str | None]  # version by line; None where popularity replaces a model
    figures: dict[str, dict[str, Figures]]  # by what counts as a hit, and by list
    better_than: dict[str, dict[str, Figures]]  # likewise: the recommendations less each baseline
    coverage: Coverage
    diversity: Diversity


def evaluate(settings: Settings) -> RecommendationQuality:
    """Evaluate the recommendations of the last month-ends whose purchases are known.

    A hit is the product, a product not held before, or the line (``product``, ``product_not_held``, ``line``). The
    metrics, of buyers, are MAP and hit rate at 3, and what the products that were listed and bought add to the bank's
    margin over their terms.

    The baselines: ``popularity``, what the bank sold most in the 90 days before; ``similar_customers``, what those
    of equal risk rating and star tier bought most, of what suits; ``last_held``, what the customer bought last.
    ``by_value`` are the recommendations without the preferences of risk profiles, ``by_probability`` also without
    value.

    Raises
    ------
    Stop
        If no month-end has ripe purchases yet.
    """
    tasks = {task.label: task for task in load_tasks().values() if task.labels == f"features.{PURCHASES}"}
    folders = {line: newest_model(settings, task.task) for line, task in tasks.items()}
    models = {line: load(folder, settings.token_secret) for line, folder in folders.items() if folder is not None}
    dates = _test_dates(settings, next(iter(tasks.values())), models)
    candidates = _frame(settings, "int_recommendation__candidates", dates)
    candidates = candidates.merge(_propensities(settings, tasks, models, dates), "left", [*ROW, "product_line"])
    candidates["probability"] = (candidates.propensity * candidates.line_share).fillna(candidates.popularity)
    candidates = candidates.merge(_leaving(settings, dates), "left", ROW)
    candidates = valued(candidates, call_cost(settings))
    held = _frame(settings, "int_customer__products_known_on_as_of_dates", dates)
    bought = _frame(settings, "int_customer__purchases_known_on_ripe_dates", dates)
    customers = _frame(settings, PURCHASES, dates, schema="build_features")[ROW]
    lists = _lists(candidates, held, customers)
    figures, better_than = _figures(lists, bought, held)
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


def _lists(candidates: pd.DataFrame, held: pd.DataFrame, customers: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The recommended products of each customer, by the recommendations and by simpler rules, with their value."""
    lists = {
        "recommended": recommend(candidates),
        "by_value": _by_worth(candidates.assign(preference=1)).groupby(ROW).head(LENGTH),
        "by_probability": _best(candidates, "probability"),
        "popularity": customers.merge(_sold_most(held), on="as_of_date"),
        "similar_customers": _best(candidates, "popularity"),
        "last_held": _best(held, "last_start_date"),
    }
    value = candidates[[*ROW, "product_code", "value_amount"]]
    return {name: listed[[*ROW, "product_code", "product_line"]].merge(value, "left") for name, listed in lists.items()}


def _figures(
    lists: dict[str, pd.DataFrame], bought: pd.DataFrame, held: pd.DataFrame
) -> tuple[dict[str, dict[str, Figures]], dict[str, dict[str, Figures]]]:
    """Metrics of every list, and what the recommendations have more than each baseline, by what counts as a hit."""
    newly = bought.merge(held[held.is_held == 1][[*ROW, "product_code"]], "left", indicator="held")
    newly = newly[newly.held == "left_only"]
    targets = {
        "product": ("product_code", bought),
        "product_not_held": ("product_code", newly),
        "line": ("product_line", bought),
    }
    figures, better_than = {}, {}
    for target, (column, purchases) in targets.items():
        buyers = {name: hits_per_buyer(listed, purchases, column) for name, listed in lists.items()}
        weights = bootstrap_weights(buyers["recommended"].customer_key.to_numpy())
        means = {name: _means(rows, weights) for name, rows in buyers.items()}
        figures[target] = {name: _with_intervals(of_list) for name, of_list in means.items()}
        better_than[target] = {
            name: _with_intervals(
                {metric: means["recommended"][metric] - means[name][metric] for metric in means[name]}
            )
            for name in BASELINES
        }
    return figures, better_than


def call_cost(settings: Settings) -> float:
    """What making an offer costs, in the bank's currency, by the seed contact_limits."""
    sql = "select threshold_value from build_seeds.contact_limits where threshold = 'call_cost_amount'"
    return float(warehouse.query(settings, sql).column(0)[0].as_py())


def valued(candidates: pd.DataFrame, cost: float) -> pd.DataFrame:
    """What a purchase adds (``value_amount``) and what an offer adds (``expected_value``), as SQL has it.

    Parameters
    ----------
    candidates
        With ``probability``, ``leaving_probability`` (null where deposit_churn abstains), ``counted_days``,
        ``new_margin_amount`` and ``replaced_margin_amount``.
    cost
        Of an offer.
    """
    gone = 1 - (1 - candidates.leaving_probability.astype(float)) ** (candidates.counted_days / 180)
    value = candidates.new_margin_amount - candidates.replaced_margin_amount * (1 - gone.fillna(0))
    return candidates.assign(value_amount=value, expected_value=candidates.probability * value - cost)


def recommend(candidates: pd.DataFrame) -> pd.DataFrame:
    """The lists as `scores.product_recommendations` builds them, from candidates as `valued` gives them."""
    placed = _by_worth(candidates.assign(is_preferred=candidates.preference > 1))
    placed["place"] = placed.groupby(ROW).cumcount() + 1
    is_first = placed.is_preferred & (placed.groupby([*ROW, "is_preferred"]).cumcount() == 0)
    placed["is_second_choice"] = ~((placed.place < LENGTH) | is_first)
    chosen = placed.sort_values([*ROW, "is_second_choice", "place"]).groupby(ROW).head(LENGTH)
    return chosen.sort_values([*ROW, "place"])


def _by_worth(candidates: pd.DataFrame) -> pd.DataFrame:
    """What the bank gains by offering first, by its worth; then what customers may want."""
    gains = candidates.expected_value > 0
    worth = candidates.expected_value.where(gains, candidates.probability) * candidates.preference
    return candidates.assign(gains=gains, worth=worth).sort_values(
        [*ROW, "gains", "worth", "product_code"], ascending=[True, True, False, False, True]
    )


def tables(quality: RecommendationQuality, say: Voice = ENGLISH) -> Iterator[Table | str]:
    """The figures for a person."""
    yield say(
        "recommendations of {dates}: {count} customers at month-ends, {buyers} bought within 90 days",
        dates=say.listed(quality["as_of_dates"]),
        count=f"{quality['rows']:,}",
        buyers=f"{quality['buyers']:,}",
    )
    for target, lines in quality["figures"].items():
        title = say("A hit is the {target}: value, and 95 % interval", target=say.code(target))
        table = Table("", *next(iter(lines.values())), title=title, title_justify="left")
        for name, figures in lines.items():
            table.add_row(say.code(name), *map(_shown, figures.values()))
        for name, figures in quality["better_than"][target].items():
            table.add_row(say("recommended less {name}", name=say.code(name)), *map(_shown, figures.values()))
        yield table
    for name in ("coverage", "diversity"):
        figures = [f"{say.code(key)} {value:.3f}" for key, value in quality[name].items()]
        yield f"{say.code(name)}: {say.listed(figures)}"


def _test_dates(settings: Settings, task: Task, models: dict[str, Model]) -> list[date]:
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


def _propensities(
    settings: Settings, tasks: dict[str, Task], models: dict[str, Model], dates: list[date]
) -> pd.DataFrame:
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


def _leaving(settings: Settings, dates: list[date]) -> pd.DataFrame:
    """How likely each customer takes the deposits away; no rows where there is no model."""
    frames = [pd.DataFrame({name: pd.Series(dtype="object") for name in (*ROW, "leaving_probability")})]
    folder = newest_model(settings, LEAVING)
    if folder is not None:
        model = load(folder, settings.token_secret)
        for day in dates:
            rows = read_features(settings, load_tasks()[LEAVING], model.columns, day)
            probability = model.probability(model.margin(rows.values))
            frames.append(
                pd.DataFrame({"as_of_date": day, "customer_key": rows.customer, "leaving_probability": probability})
            )
    return pd.concat(frames).astype({"leaving_probability": float})


def _ordered(rows: pd.DataFrame, by: str) -> pd.DataFrame:
    return rows.sort_values([*ROW, by, "product_code"], ascending=[True, True, False, True])


def _best(rows: pd.DataFrame, by: str) -> pd.DataFrame:
    return _ordered(rows, by).groupby(ROW).head(LENGTH)


def _sold_most(held: pd.DataFrame) -> pd.DataFrame:
    by = ["as_of_date", "product_code", "product_line"]
    sold = held.groupby(by).purchase_count_90d.sum().reset_index()
    sold = sold.sort_values(["as_of_date", "purchase_count_90d", "product_code"], ascending=[True, False, True])
    return sold.groupby("as_of_date").head(LENGTH)


def hits_per_buyer(lists: pd.DataFrame, bought: pd.DataFrame, column: str) -> pd.DataFrame:
    """Average precision, hit and margin of every buyer's list; a buyer without a list has none of them."""
    relevant = bought[[*ROW, column]].drop_duplicates()
    listed = lists.drop_duplicates([*ROW, column])
    listed = listed.assign(position=listed.groupby(ROW).cumcount() + 1)
    hits = listed.merge(relevant, on=[*ROW, column])
    hits["precision"] = (hits.groupby(ROW).cumcount() + 1) / hits.position
    buyers = relevant.groupby(ROW).size().rename("relevant").reset_index()
    sums = hits.groupby(ROW).agg(
        precisions=("precision", "sum"), hit=("position", "size"), margin=("value_amount", "sum")
    )
    rows = buyers.merge(sums.reset_index(), "left", ROW).fillna({"precisions": 0, "hit": 0, "margin": 0})
    rows["average_precision"] = rows.precisions / np.minimum(rows.relevant, LENGTH)
    return rows.assign(hit=(rows.hit > 0).astype(float)).sort_values(ROW)


def _means(rows: pd.DataFrame, weights: np.ndarray) -> dict[str, np.ndarray]:
    return {
        f"map_at_{LENGTH}": weighted_means(weights, rows.average_precision.to_numpy()),
        f"hit_rate_at_{LENGTH}": weighted_means(weights, rows.hit.to_numpy()),
        f"margin_at_{LENGTH}": weighted_means(weights, rows.margin.to_numpy()),
    }


def _with_intervals(metrics: dict[str, np.ndarray]) -> Figures:
    return {name: figure(values) for name, values in metrics.items()}


def _coverage(lists: pd.DataFrame, candidates: pd.DataFrame, customers: int) -> Coverage:
    return {
        "customers": len(lists[ROW].drop_duplicates()) / customers,
        "products": lists.product_code.nunique() / candidates.product_code.nunique(),
    }


def _diversity(lists: pd.DataFrame) -> Diversity:
    share = lists.product_code.value_counts(normalize=True).to_numpy()
    return {
        "lines_per_customer": float(lists.groupby(ROW).product_line.nunique().mean()),
        "largest_share": float(share.max()),
        "effective_products": float(np.exp(-(share * np.log(share)).sum())),
    }


def _shown(figure: Figure) -> str:
    return f"{figure['value']:.3g} {figure['low']:.3g} {figure['high']:.3g}"
