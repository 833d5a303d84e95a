"""What the published scores of one date say of a customer agrees."""

import pytest

from lakehouse import warehouse
from ml_jobs.task_file import load_tasks
from tests.pipeline.conftest import Undisturbed


def test_a_customer_has_one_probability_of_leaving_within_90_days(day_by_day: Undisturbed) -> None:
    (counted,) = warehouse.query_serving(
        day_by_day.settings,
        """
        select count(*) as customers, max(abs(1 - churn.probability - survival.stay_90d_rate)) as difference
        from scores.churn_latest as churn
        inner join scores.churn_survival_latest as survival on churn.customer_key = survival.customer_key
        """,
    ).to_pylist()
    assert counted["customers"] > 100
    assert counted["difference"] < 1e-12


def test_the_inventory_says_what_each_model_decides_on(day_by_day: Undisturbed) -> None:
    def query(sql: str) -> list[dict]:
        return warehouse.query_serving(day_by_day.settings, sql).to_pylist()

    rows = {row["model"]: row for row in query("select * from ops.model_inventory")}
    assert set(load_tasks()) < set(rows)
    assets = query("select sum(aum_amount) as amount from marts.customer_360")[0]["amount"]
    for model, sql in {
        "deposit_churn": "select customer_key, exposed_amount as amount from actions.retention "
        "where is_handed_out and task = 'deposit_churn'",
        "propensity_wealth": "select customer_key, amount from actions.next_best_offer "
        "where is_handed_out and product_line = 'wealth'",
    }.items():
        (decided,) = query(f"select count(*) as customers, coalesce(sum(amount), 0) as amount from ({sql})")
        row = rows[model]
        assert (row["decided_count"], row["decided_amount"]) == (decided["customers"], decided["amount"])
        assert row["decided_share"] == pytest.approx(float(decided["amount"] / assets))
        money = "high" if row["decided_share"] >= 0.01 else "medium" if row["decided_share"] >= 0.001 else "low"
        assert row["materiality"] == max(money, "medium", key=["low", "medium", "high"].index)
    assert rows["credit_warning"]["materiality"] == "high"
    assert {row["validation_state"] for row in rows.values()} == {"never validated"}
