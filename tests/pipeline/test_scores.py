"""What the published scores of one date say of a customer agrees."""

from lakehouse import warehouse
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
