{{ config(
    materialized='incremental', incremental_strategy='replace_dates', date_column='as_of_date', whole_months=true,
    on_schema_change='fail'
) }}
-- Grain: loan and as-of date (month-ends, and the business date): what is owed. The bank's own balance, where it tells
-- one, less what was paid since; else the contract's annuity, carried on by what was paid. Instalments of which nothing
-- was told, because they fell due before the feed begins, are taken as paid on their days.
with as_of_dates as (

    select date_day as as_of_date
    from {{ ref('int_calendar__days') }}
    where {{ months_of_run('date_day') }}
        and (is_month_end or date_day = {{ date_literal(var('business_date')) }})

),

told_loans as (

    {{ last_known(ref('stg_branch__loans'), ['loan_no', 'business_date']) }}

),

loan_spells as (

    select
        *,
        business_date as valid_from,
        lead(business_date) over by_day as valid_to,
        max(case when outstanding_amount is not null then business_date end) over by_day as stated_date
    from told_loans
    window by_day as (partition by loan_no order by business_date)

),

told_instalments as (

    {{ last_known(ref('stg_branch__loan_repayments'), ['repayment_id', 'business_date']) }}

),

instalment_spells as (

    select
        *,
        business_date as valid_from,
        lead(business_date) over (partition by repayment_id order by business_date) as valid_to
    from told_instalments

),

feed_start as (

    select min(business_date) as first_date from told_instalments

),

loans as (

    select
        as_of_dates.as_of_date,
        spells.loan_no,
        spells.party_key,
        spells.product_code,
        spells.granted_date,
        spells.status,
        spells.term_months,
        spells.interest_rate,
        spells.principal,
        spells.stated_date,
        stated.outstanding_amount as stated_amount,
        cast(spells.interest_rate as double precision) / 12 as month_rate,
        1 + coalesce(cast(spells.interest_rate as double precision) / 12, 0) as month_growth,
        coalesce(
            cast(nullif(spells.instalment, 0) as double precision),
            case
                when spells.interest_rate > 0
                    then spells.principal * (cast(spells.interest_rate as double precision) / 12)
                        / (1 - power(1 + cast(spells.interest_rate as double precision) / 12, -spells.term_months))
                else cast(spells.principal as double precision) / spells.term_months
            end
        ) as instalment
    from loan_spells as spells
    inner join as_of_dates on {{ is_valid_on('spells', 'as_of_dates.as_of_date') }}
    left join told_loans as stated
        on spells.loan_no = stated.loan_no and spells.stated_date = stated.business_date

),

-- payments that the start of the reckoning does not hold; what is paid in full is one instalment of the plan
payments as (

    select
        loans.as_of_date,
        loans.loan_no,
        loans.month_growth,
        spells.repayment_id,
        spells.due_date,
        spells.due_amount,
        spells.paid_amount,
        case
            when spells.due_amount > 0
                and spells.paid_amount >= spells.due_amount
                and (loans.stated_date is null or coalesce(spells.paid_date, spells.business_date) > loans.stated_date)
                then 1
            else 0
        end as is_paid,
        loans.stated_date is null or coalesce(spells.paid_date, spells.business_date) > loans.stated_date as is_counted
    from loans
    inner join instalment_spells as spells
        on loans.loan_no = spells.loan_no and {{ is_valid_on('spells', 'loans.as_of_date') }}

),

numbered as (

    select
        *,
        sum(is_paid) over (
            partition by as_of_date, loan_no order by due_date, repayment_id rows unbounded preceding
        ) as paid_so_far,
        sum(is_paid) over (partition by as_of_date, loan_no) as paid_count
    from payments

),

paid as (

    select
        as_of_date,
        loan_no,
        min(due_date) as first_due_date,
        max(paid_count) as paid_count,
        sum(case when is_counted then paid_amount else 0 end) as paid_amount,
        -- what was paid, with the interest that it saves
        sum(
            case
                when is_counted and paid_amount >= due_amount
                    then cast(paid_amount as double precision) * power(month_growth, paid_count - paid_so_far)
                else 0
            end
        ) as grown_amount,
        sum(
            case
                when is_counted and paid_amount < due_amount
                    then cast(paid_amount as double precision) / cast(due_amount as double precision)
                else 0
            end
        ) as part_of_next
    from numbered
    group by as_of_date, loan_no

),

begun as (

    select
        loans.*,
        coalesce(paid.paid_count, 0) as paid_count,
        coalesce(paid.paid_amount, 0) as paid_amount,
        coalesce(paid.grown_amount, 0) as grown_amount,
        coalesce(paid.part_of_next, 0) as part_of_next,
        -- instalments before the first that was told: by whole months where the feed tells of the loan from its grant
        -- on, as its first one may fall due late
        case
            when loans.stated_date is not null then 0
            when loans.granted_date >= feed_start.first_date and paid.first_due_date is null then 0
            else
                least(
                    greatest(
                        {{ months_between(
                            'loans.granted_date',
                            'coalesce(paid.first_due_date, least(feed_start.first_date, loans.as_of_date))'
                        ) }} - 1
                        - case
                            when loans.granted_date >= feed_start.first_date
                                and extract(day from paid.first_due_date) < extract(day from loans.granted_date)
                                and paid.first_due_date
                                <> cast({{ dbt.last_day('paid.first_due_date', 'month') }} as date)
                                then 1
                            else 0
                        end,
                        0
                    ),
                    loans.term_months
                )
        end as untold_count
    from loans
    cross join feed_start
    left join paid on loans.loan_no = paid.loan_no and loans.as_of_date = paid.as_of_date

),

carried as (

    select
        begun.*,
        case
            when status in ('repaid', 'written_off') then 0
            when stated_date is null and untold_count + paid_count >= term_months then 0
            when month_rate > 0
                then
                    power(month_growth, paid_count) * coalesce(
                        cast(stated_amount as double precision),
                        principal * power(month_growth, untold_count)
                        - instalment * (power(month_growth, untold_count) - 1) / month_rate
                    ) - grown_amount
            -- without a rate every payment repays its share of the principal
            else
                coalesce(
                    cast(stated_amount as double precision),
                    principal * (1 - cast(untold_count as double precision) / term_months)
                ) - cast(paid_amount as double precision) * principal / (instalment * term_months)
        end as carried_amount
    from begun

),

owed as (

    select
        carried.*,
        greatest(
            least(
                case
                    -- a part of an instalment repays that part of its principal
                    when month_rate > 0 and carried_amount > 0
                        then carried_amount - part_of_next * greatest(instalment - carried_amount * month_rate, 0)
                    else carried_amount
                end,
                principal
            ),
            0
        ) as owed_amount
    from carried

),

kinds as (

    select
        products.product_code,
        products.term_months,
        risks.loan_kind,
        risks.default_rate,
        risks.loss_given_default_rate,
        row_number() over (partition by products.product_code, products.term_months order by risks.rule_order) as place
    from (select distinct product_code, term_months from told_loans) as products
    inner join {{ ref('loan_risks') }} as risks
        on products.product_code like risks.product_code_pattern and products.term_months >= risks.minimum_term_months

)

select
    owed.loan_no,
    owed.as_of_date,
    owed.party_key,
    owed.product_code,
    owed.granted_date,
    owed.status,
    owed.term_months,
    owed.interest_rate,
    kinds.loan_kind,
    kinds.default_rate,
    kinds.loss_given_default_rate,
    cast({{ whole_cents('owed.owed_amount') }} as decimal(38, 2)) as outstanding_amount
from owed
left join kinds
    on owed.product_code = kinds.product_code
        and owed.term_months = kinds.term_months
        and kinds.place = 1
