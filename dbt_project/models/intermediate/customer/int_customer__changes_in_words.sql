-- noqa: disable=LT02
{{ config(tags=['serving']) }}
-- Grain: customer, day, kind and detail: every change in words, what is not shown, too. Of a run of equal changes the
-- first stands.
{%- set last = date_literal(var('business_date')) %}
with asset_changes as (

    select
        *,
        case when level_amount < usual_amount then 'assets_fell' else 'assets_rose' end as change_kind
    from {{ ref('stg_lake__change_points') }}

),

every_change as (

    select
        customer_key,
        change_kind,
        change_detail,
        change_date,
        segment,
        amount,
        previous_amount,
        change_count,
        previous_count,
        event_date
    from {{ ref('int_customer__changes') }}

    union all

    select
        asset_changes.customer_key,
        asset_changes.change_kind,
        'month',
        asset_changes.change_date,
        limits.segment,
        positions.aum_amount,
        asset_changes.usual_amount,
        null,
        null,
        asset_changes.change_date
    from asset_changes
    inner join {{ ref('int_customer__change_limits') }} as limits
        on asset_changes.customer_key = limits.customer_key and asset_changes.change_kind = limits.change_kind
    -- the sentence says what the assets were on the day, not the average of a level
    inner join {{ ref('int_customer__positions_monthly') }} as positions
        on asset_changes.customer_key = positions.customer_key and asset_changes.change_date = positions.as_of_date
    where asset_changes.change_date > {{ days_before(last, var('change_days') + 100) }}
        {%- for amount in ['asset_changes.level_amount', 'positions.aum_amount'] %}
        and case when asset_changes.change_kind = 'assets_fell' then -1 else 1 end
            * ({{ amount }} - asset_changes.usual_amount)
            >= greatest(limits.minimum_amount, limits.minimum_rate * asset_changes.usual_amount)
        {%- endfor %}

),

changes as (

    select
        *,
        {{ thousands('amount') }} as amount_text,
        {{ thousands('previous_amount') }} as previous_amount_text,
        lag(change_date) over (partition by customer_key, change_kind, change_detail order by change_date)
            as previous_date
    from every_change

),

thresholds as (

    select * from {{ ref('change_thresholds') }}

),

phrases as (

    select * from {{ ref('change_phrases') }}

),

worded as (

    select
        changes.*,
        -- doubles throughout, so that both engines give the same figure
        thresholds.importance * power(
            cast(0.5 as double precision),
            cast({{ days_between('changes.change_date', last) }} as double precision) / 30
        ) as weight,
        {%- for language in ['en', 'zh'] %}
        {%- set sentence = namespace(sql='phrases.phrase_' ~ language) -%}
        {%- for name, value in [
            ('{amount}', 'changes.amount_text'),
            ('{before}', 'changes.previous_amount_text'),
            ('{count}', 'cast(changes.change_count as varchar)'),
            ('{before_count}', 'cast(changes.previous_count as varchar)'),
            ('{date}', 'cast(changes.event_date as varchar)'),
            ('{currency}', "'" ~ var('currency') ~ "'"),
        ] -%}
        {%- set sentence.sql = "replace(" ~ sentence.sql ~ ", '" ~ name ~ "', coalesce(" ~ value ~ ", ''))" -%}
        {%- endfor %}
        {{ sentence.sql }} as sentence_{{ language }}{{ ',' if not loop.last }}
        {%- endfor %}
    from changes
    inner join thresholds on changes.change_kind = thresholds.change_kind and changes.segment = thresholds.segment
    -- what has no words is no change that anybody needs to know
    inner join phrases
        on changes.change_kind = phrases.change_kind and changes.change_detail like phrases.change_detail
    -- the first of a run of equal changes tells it
    where changes.previous_date is null
        or {{ days_between('changes.previous_date', 'changes.change_date') }} > thresholds.quiet_days

)

select
    customer_key,
    change_date,
    change_kind,
    change_detail,
    segment,
    amount,
    previous_amount,
    change_count,
    previous_count,
    event_date,
    weight,
    cast(sentence_en as varchar) as sentence_en,
    cast(sentence_zh as varchar) as sentence_zh
from worded
