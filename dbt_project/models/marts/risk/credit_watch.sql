{{ config(tags=['serving']) }}
{%- set today = date_literal(var('business_date')) %}

with links as (
    select * from {{ ref('int_party__customers') }}
),

loans as (
    select
        links.customer_key,
        count(*) as loan_count,
        sum(positions.outstanding_amount) as outstanding_amount,
        sum(positions.outstanding_amount * positions.loss_given_default_rate) as loss_given_default_amount,
        sum(positions.instalment_amount) as instalment_amount,
        sum(positions.unpaid_amount) as unpaid_amount,
        max(positions.days_past_due) as days_past_due
    from {{ ref('int_loan__positions') }} as positions
    inner join links on positions.party_key = links.party_key
    where positions.status in ('running', 'in_arrears')
    group by links.customer_key
    having count(case when positions.status = 'running' then 1 end) > 0
),

-- yesterday's score says nothing where today's abstains
scores as (
    select
        scores.customer_key,
        scores.probability,
        sentences.reason_code,
        sentences.sentence_en as score_sentence_en,
        sentences.sentence_zh as score_sentence_zh
    from {{ ref('credit_warning_latest') }} as scores
    left join {{ ref('score_reasons') }} as sentences
        on scores.customer_key = sentences.customer_key
            and sentences.task = 'credit_warning'
            and sentences.place = 1
    where scores.as_of_date = {{ today }}
),

triggers as (
    select
        *,
        count(*) over (partition by customer_key) as trigger_count,
        row_number() over (
            partition by customer_key order by case band when 'red' then 1 else 2 end, trigger_date desc, credit_trigger
        ) as place
    from {{ ref('credit_triggers') }}
),

banded as (
    select
        loans.*,
        scores.probability,
        scores.reason_code,
        scores.score_sentence_en,
        scores.score_sentence_zh,
        case
            when scores.probability >= {{ limit('credit_thresholds', 'red_probability') }} then 'red'
            when scores.probability >= {{ limit('credit_thresholds', 'amber_probability') }} then 'amber'
            when scores.probability is not null then 'green'
        end as score_band,
        coalesce(triggers.band, 'green') as trigger_band,
        coalesce(triggers.trigger_count, 0) as trigger_count,
        triggers.credit_trigger,
        triggers.trigger_date,
        triggers.figure,
        triggers.sentence_en,
        triggers.sentence_zh
    from loans
    left join scores on loans.customer_key = scores.customer_key
    left join triggers on loans.customer_key = triggers.customer_key and triggers.place = 1
)

select
    customer_key,
    {{ today }} as as_of_date,
    cast(
        case
            when 'red' in (score_band, trigger_band) then 'red'
            when 'amber' in (score_band, trigger_band) then 'amber'
            else 'green'
        end as varchar
    ) as band,
    cast(score_band as varchar) as score_band,
    cast(trigger_band as varchar) as trigger_band,
    probability,
    cast(trigger_count as bigint) as trigger_count,
    cast(credit_trigger as varchar) as main_trigger,
    trigger_date as main_trigger_date,
    figure as main_trigger_figure,
    cast(coalesce(sentence_en, case when score_band <> 'green' then score_sentence_en end) as varchar) as reason_en,
    cast(coalesce(sentence_zh, case when score_band <> 'green' then score_sentence_zh end) as varchar) as reason_zh,
    cast(reason_code as varchar) as score_reason_code,
    cast(loan_count as bigint) as loan_count,
    cast(outstanding_amount as decimal(38, 2)) as outstanding_amount,
    cast(instalment_amount as decimal(38, 2)) as instalment_amount,
    cast(unpaid_amount as decimal(38, 2)) as unpaid_amount,
    cast(days_past_due as integer) as days_past_due,
    cast(loss_given_default_amount as decimal(38, 2)) as loss_given_default_amount,
    cast(
        round(cast(probability as decimal(9, 6)) * cast(loss_given_default_amount as decimal(20, 2)), 2)
        as decimal(38, 2)
    ) as expected_loss_amount
from banded
