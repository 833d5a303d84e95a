with postings as (

    select
        links.customer_key,
        postings.business_date,
        kinds.flow_kind,
        'outside:' || postings.counterparty_account_token as payee_key,
        sum(postings.amount) as amount
    from {{ ref('fct_transactions') }} as postings
    inner join {{ ref('int_party__customers') }} as links on postings.party_key = links.party_key
    inner join {{ ref('int_money__flow_kinds') }} as kinds
        on postings.counterparty_class = kinds.counterparty_class and postings.direction = kinds.direction
    where postings.business_date > {{ days_before(date_literal(var('business_date')), 28) }}
        and postings.business_date <= {{ date_literal(var('business_date')) }}
        and postings.counterparty_account_token is not null and postings.counterparty_party_key is null
        and kinds.flow_kind in ('leak', 'outflow')
    group by links.customer_key, postings.business_date, kinds.flow_kind, postings.counterparty_account_token

),

ranked as (

    select
        postings.*,
        row_number() over (
            partition by postings.customer_key, postings.business_date, postings.flow_kind
            order by postings.amount desc, postings.payee_key
        ) as place
    from postings
    inner join {{ ref('fund_chain_edges') }} as edges
        on postings.customer_key = edges.payer_key
            and postings.payee_key = edges.payee_key
            and postings.business_date = edges.first_date

)

select
    cast(customer_key as varchar) as customer_key,
    business_date,
    cast(flow_kind as varchar) as flow_kind,
    cast(payee_key as varchar) as payee_key,
    cast(amount as decimal(38, 2)) as amount
from ranked
where place = 1
