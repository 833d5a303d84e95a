"""What is offered to whom: never unsuitable, never to somebody who is not to be asked, and as it is judged."""

import pytest

from lakehouse import warehouse
from ml_jobs.quality import recommendations
from tests.pipeline.conftest import D3, Undisturbed
from tests.pipeline.offers import violations


def test_nothing_is_offered_that_must_not_be(day_by_day: Undisturbed) -> None:
    assert set(violations(day_by_day.settings).values()) == {0}
    counts = warehouse.query(
        day_by_day.settings,
        """
        select
            count(*) as offers,
            count(distinct branch_code) as branches,
            count(*) filter (where arm = 'control') as controls
        from build_actions.next_best_offer
        where arm is not null
        """,
    ).to_pylist()[0]
    assert 0 < counts["controls"] < counts["offers"] <= 10 * counts["branches"]


def test_what_is_judged_is_what_is_published(day_by_day: Undisturbed) -> None:
    settings = day_by_day.settings
    published = warehouse.query_serving(
        settings, "select customer_key, product_code, rank, probability from scores.product_recommendations"
    ).to_pandas()
    candidates = warehouse.query(
        settings,
        """
        select
            candidates.*,
            coalesce(propensities.probability * line_share, popularity) as probability,
            leaving.probability as leaving_probability
        from build_intermediate.int_recommendation__candidates as candidates
        left join build_scores.product_propensity_latest as propensities using (customer_key, as_of_date, product_line)
        left join build_scores.deposit_churn_latest as leaving using (customer_key, as_of_date)
        where as_of_date = $1 and customer_key not in (
            select customer_key from build_features.refused_purposes where purpose = 'profiling' and as_of_date = $1
        )
        """,
        (D3,),
    ).to_pandas()
    lists = recommendations.recommend(recommendations.valued(candidates, recommendations.call_cost(settings)))
    lists["rank"] = lists.groupby(recommendations.ROW).cumcount() + 1
    both = published.merge(lists, on=["customer_key", "product_code", "rank", "probability"])
    assert len(both) == len(published) == len(lists) > 1_000


def test_the_past_is_judged_beside_simple_rules(day_by_day: Undisturbed) -> None:
    found = recommendations.evaluate(day_by_day.settings)
    assert 0 < found["buyers"] < found["rows"]
    for lines in found["figures"].values():
        assert {*recommendations.BASELINES, "recommended"} < lines.keys()
        for figure in (lines["recommended"]["map_at_3"], lines["recommended"]["hit_rate_at_3"]):
            assert 0 < figure["low"] < figure["value"] < figure["high"] < 1
    difference = found["better_than"]["line"]["popularity"]["hit_rate_at_3"]["value"]
    rates = {name: found["figures"]["line"][name]["hit_rate_at_3"]["value"] for name in ("recommended", "popularity")}
    assert difference == pytest.approx(rates["recommended"] - rates["popularity"])
    assert 0.5 < found["coverage"]["customers"] <= 1
