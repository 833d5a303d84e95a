-- noqa: disable=LT02
{%- set business_date = date_literal(var('business_date')) %}
{%- set responses = ['opened', 'clicked', 'applied', 'converted', 'opted_out'] %}
-- The effect is by intention to treat, among those whose 90 days are over: of a retention campaign fewer who left, of a
-- sales campaign more who opened a product of the family that it offers.
with touches as (

    select
        touch_id,
        campaign_id,
        party_key,
        business_date,
        product_code,
        cost,
        arm = 'treatment' as is_treated,
        {{ days_before('business_date', -90) }} <= {{ business_date }} as is_ripe
    from {{ ref('stg_online__campaign_touches') }}
    where {{ is_first_telling('campaign_touches', 'touch_id') }}

),

answers as (

    select
        touch_id,
        {%- for response in responses %}
        max(case when response = '{{ response }}' then 1 else 0 end) as is_{{ response }},
        {%- endfor %}
        max(case when response in ('{{ var("answers") | join("', '") }}') then 1 else 0 end) as is_answered
    from {{ ref('stg_online__campaign_responses') }}
    group by touch_id

),

parties as (

    select * from {{ ref('dim_party') }}

),

products as (

    select * from {{ ref('dim_product') }}

),

purchases as (

    select distinct touches.touch_id
    from touches
    inner join parties on touches.party_key = parties.party_key
    inner join parties as siblings on parties.customer_key = siblings.customer_key
    inner join {{ ref('int_account__openings') }} as openings
        on siblings.party_key = openings.party_key
            and openings.opened_date >= touches.business_date
            and openings.opened_date <= {{ days_before('touches.business_date', -90) }}
    left join products on touches.product_code = products.product_code
    where products.product_family is null or products.product_family = openings.product_family

),

-- who had no account to leave has no row there
fates as (

    select
        assignment_id,
        has_left
    from {{ ref('action_assignments') }}

),

measured as (

    select
        touches.*,
        case
            when touches.campaign_id like '{{ var("retention_campaigns") }}' then 'stayed'
            else 'bought'
        end as outcome,
        case
            when not touches.is_ripe then null
            when touches.campaign_id not like '{{ var("retention_campaigns") }}'
                then case when purchases.touch_id is not null then 1 else 0 end
            when not fates.has_left then 1
            when fates.has_left then 0
        end as has_outcome
    from touches
    left join purchases on touches.touch_id = purchases.touch_id
    left join fates on 'campaign:' || touches.touch_id = fates.assignment_id

),

counted as (

    select
        measured.campaign_id,
        measured.outcome,
        min(measured.business_date) as first_date,
        max(measured.business_date) as last_date,
        -- the offer, where there is one only
        case when count(distinct measured.product_code) = 1 then min(measured.product_code) end as product_code,
        sum(case when is_treated then 1 else 0 end) as contact_count,
        count(distinct case when is_treated then party_key end) as contacted_count,
        sum(case when is_treated then 0 else 1 end) as control_count,
        sum(case when is_treated then cost else 0 end) as cost_amount,
        {%- for name in responses + ['answered'] %}
        sum(case when is_treated then coalesce(answers.is_{{ name }}, 0) else 0 end) as {{ name }}_count,
        {%- endfor %}
        {%- for arm, condition in [('treated', 'is_treated'), ('control', 'not is_treated')] %}
        sum(case when {{ condition }} and has_outcome is not null then 1 else 0 end) as {{ arm }}_ripe_count,
        sum(case when {{ condition }} then coalesce(has_outcome, 0) else 0 end)
            as {{ arm }}_outcome_count{{ ',' if not loop.last }}
        {%- endfor %}
    from measured
    left join answers on measured.touch_id = answers.touch_id
    group by measured.campaign_id, measured.outcome

),

rated as (

    select
        *,
        {%- for arm in ['treated', 'control'] %}
        {{ share_of(arm ~ '_outcome_count', arm ~ '_ripe_count') }} as {{ arm }}_rate,
        {%- for end, side in [('low', '-'), ('high', '+')] %}
        case
            when {{ arm }}_ripe_count > 0
                then {{ wilson_bound(arm ~ '_outcome_count', 'nullif(' ~ arm ~ '_ripe_count, 0)', side) }}
        end as {{ arm }}_{{ end }}_rate{{ ',' if not loop.last }}
        {%- endfor %}{{ ',' if not loop.last }}
        {%- endfor %}
    from counted

)

select
    campaign_id,
    cast(case outcome when 'stayed' then 'retention' else 'sales' end as varchar) as campaign_kind,
    first_date,
    last_date,
    product_code,
    cast(contact_count as bigint) as contact_count,
    cast(contacted_count as bigint) as contacted_count,
    cast(control_count as bigint) as control_count,
    cast(cost_amount as decimal(38, 2)) as cost_amount,
    {%- for name in responses + ['answered'] %}
    cast({{ name }}_count as bigint) as {{ name }}_count,
    {%- endfor %}
    {{ share_of('answered_count', 'contact_count') }} as answer_rate,
    cast(outcome as varchar) as outcome,
    cast(treated_ripe_count as bigint) as treated_ripe_count,
    cast(control_ripe_count as bigint) as control_ripe_count,
    cast(treated_outcome_count as bigint) as treated_outcome_count,
    cast(control_outcome_count as bigint) as control_outcome_count,
    treated_rate,
    control_rate,
    cast(treated_rate - control_rate as double precision) as effect_rate,
    cast(
        treated_rate - control_rate - sqrt(
            (treated_rate - treated_low_rate) * (treated_rate - treated_low_rate)
            + (control_high_rate - control_rate) * (control_high_rate - control_rate)
        ) as double precision
    ) as effect_low_rate,
    cast(
        treated_rate - control_rate + sqrt(
            (treated_high_rate - treated_rate) * (treated_high_rate - treated_rate)
            + (control_rate - control_low_rate) * (control_rate - control_low_rate)
        ) as double precision
    ) as effect_high_rate
from rated
