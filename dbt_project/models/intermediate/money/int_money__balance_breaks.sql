-- Grain: account and day on which the bank's balance and the derived one began to differ, or to differ by another
-- amount. Reads only the accounts that differ somewhere, so it is cheap while the books agree.
with compared as (

    select
        balances.*,
        sum(txn_count) over (
            partition by account_no_token order by business_date rows unbounded preceding
        ) as txns_so_far
    from {{ ref('fct_balances_daily') }} as balances
    where account_no_token in (
            select account_no_token from {{ ref('fct_balances_daily') }} where difference_amount <> 0
        )

),

neighbours as (

    select
        account_no_token,
        party_key,
        business_date,
        balance_amount,
        bank_balance_amount,
        difference_amount,
        difference_amount - coalesce(lag(difference_amount) over by_day, 0) as break_amount,
        coalesce(lag(business_date) over by_day, {{ date_literal('1900-01-01') }}) as previous_date,
        txns_so_far - coalesce(lag(txns_so_far) over by_day, 0) as txn_count
    from compared
    where difference_amount is not null
    window by_day as (partition by account_no_token order by business_date)

),

breaks as (

    select * from neighbours
    where break_amount <> 0

),

known_holes as (

    {% set holes = (var('reconciliation') or {}).get('known_holes', []) -%}
    {% for hole in holes -%}
    select
        {{ date_literal(hole['date']) }} as hole_date,
        {{ dbt.string_literal(dbt.escape_single_quotes(hole['reason'])) }} as reason
    {{ 'union all' if not loop.last }}
    {% else -%}
    select
        cast(null as date) as hole_date,
        cast(null as varchar) as reason
    where 1 = 0
    {%- endfor %}

),

by_hole as (

    select
        breaks.account_no_token,
        breaks.business_date,
        min(known_holes.reason) as reason
    from breaks
    inner join known_holes
        on known_holes.hole_date > breaks.previous_date and known_holes.hole_date <= breaks.business_date
    group by breaks.account_no_token, breaks.business_date

),

rejects as (

    select
        *,
        length(period) as period_length,
        coalesce(cast(business_date as varchar), period) as day_or_period
    from {{ ref('stg_lake__rejects') }}
    where feed in ('transactions', 'balances')

),

-- a refused row of the account since the comparison before, or of that time's periods if its day could not be read
by_reject as (

    select distinct
        breaks.account_no_token,
        breaks.business_date
    from breaks
    inner join rejects
        on rejects.account_no_token = breaks.account_no_token
            and (
                (rejects.business_date > breaks.previous_date and rejects.business_date <= breaks.business_date)
                or (
                    rejects.business_date is null
                    and rejects.period >= left(cast(breaks.previous_date as varchar), rejects.period_length)
                    and rejects.period <= left(cast(breaks.business_date as varchar), rejects.period_length)
                )
            )

),

-- What follows names no account. The bank tells a balance for every day on which it changed, so a posting that is
-- lacking shows on its own day; only a balance that is lacking too lets it show later.
by_unreadable_reject as (

    select distinct
        breaks.account_no_token,
        breaks.business_date
    from breaks
    inner join rejects
        on rejects.account_no_token is null
            and rejects.day_or_period <= left(cast(breaks.business_date as varchar), length(rejects.day_or_period))
            and rejects.day_or_period >= left(
                cast(
                    case rejects.feed when 'transactions' then breaks.business_date else breaks.previous_date end
                        as varchar
                ),
                length(rejects.day_or_period)
            )

),

deliveries as (

    select
        *,
        length(period) as period_length
    from {{ ref('stg_lake__delivery_outcomes') }}
    where feed in ('transactions', 'balances')

),

refused as (

    select * from deliveries
    where outcome in ('rejected', 'retracted')
        and not exists (
            select 1 from deliveries as loaded
            where loaded.feed = deliveries.feed
                and loaded.period = deliveries.period
                and loaded.outcome in ('loaded', 'replaced')
        )

),

by_refused_delivery as (

    select distinct
        breaks.account_no_token,
        breaks.business_date
    from breaks
    inner join refused
        on refused.period <= left(cast(breaks.business_date as varchar), refused.period_length)
            and refused.period >= left(
                cast(
                    case refused.feed when 'transactions' then breaks.business_date else breaks.previous_date end
                        as varchar
                ),
                refused.period_length
            )

),

-- a day after the first daily delivery, for which a feed has nothing at all
daily_periods as (

    select
        feed,
        cast(case when period_length = 10 then period end as date) as period_date
    from deliveries
    where period_length = 10

),

missing_days as (

    select
        feeds.feed,
        dates.date_day
    from (select feed, min(period_date) as first_date from daily_periods group by feed) as feeds
    inner join {{ ref('int_calendar__days') }} as dates
        on dates.date_day >= feeds.first_date and dates.date_day <= {{ date_literal(var('business_date')) }}
    left join daily_periods on feeds.feed = daily_periods.feed and dates.date_day = daily_periods.period_date
    where daily_periods.feed is null

),

by_missing_delivery as (

    select distinct
        breaks.account_no_token,
        breaks.business_date
    from breaks
    inner join missing_days
        on missing_days.date_day <= breaks.business_date
            and missing_days.date_day > breaks.previous_date
            and (missing_days.feed = 'balances' or missing_days.date_day = breaks.business_date)

),

suspects as (

    select
        account_no_token,
        business_date,
        _known_date,
        _superseded_date,
        split_part(_delivery, '/', 2) as period
    from {{ ref('stg_branch__transactions_versions') }}
    where account_no_token in (select account_no_token from breaks)

),

-- a posting that came with another day's delivery, or one that a newer version of its delivery replaced: the bank's own
-- balance may have moved on its booking day, or only when it became known
by_late_or_superseded as (

    select distinct
        breaks.account_no_token,
        breaks.business_date
    from breaks
    inner join suspects on breaks.account_no_token = suspects.account_no_token
    where (
            suspects._superseded_date is not null
            or suspects.period <> left(cast(suspects.business_date as varchar), length(suspects.period))
        )
        and (
            (suspects.business_date > breaks.previous_date and suspects.business_date <= breaks.business_date)
            or (suspects._known_date > breaks.previous_date and suspects._known_date <= breaks.business_date)
        )

)

select
    breaks.account_no_token,
    breaks.party_key,
    breaks.business_date,
    breaks.previous_date,
    breaks.balance_amount,
    breaks.bank_balance_amount,
    breaks.difference_amount,
    breaks.break_amount,
    breaks.txn_count,
    case
        when abs(breaks.break_amount)
            <= {{ (var('reconciliation') or {}).get('tolerance_amount', 0) }} * breaks.txn_count
            then 'rounding'
        when by_reject.account_no_token is not null then 'quarantined row'
        when by_late_or_superseded.account_no_token is not null then 'late or superseded row'
        when by_unreadable_reject.account_no_token is not null then 'quarantined row'
        when by_refused_delivery.account_no_token is not null then 'rejected delivery'
        when by_missing_delivery.account_no_token is not null then 'missing delivery'
        when by_hole.account_no_token is not null then by_hole.reason
    end as explanation
from breaks
left join by_hole on breaks.account_no_token = by_hole.account_no_token and breaks.business_date = by_hole.business_date
left join by_reject
    on breaks.account_no_token = by_reject.account_no_token and breaks.business_date = by_reject.business_date
left join by_unreadable_reject
    on breaks.account_no_token = by_unreadable_reject.account_no_token
        and breaks.business_date = by_unreadable_reject.business_date
left join by_refused_delivery
    on breaks.account_no_token = by_refused_delivery.account_no_token
        and breaks.business_date = by_refused_delivery.business_date
left join by_missing_delivery
    on breaks.account_no_token = by_missing_delivery.account_no_token
        and breaks.business_date = by_missing_delivery.business_date
left join by_late_or_superseded
    on breaks.account_no_token = by_late_or_superseded.account_no_token
        and breaks.business_date = by_late_or_superseded.business_date
