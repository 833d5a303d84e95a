-- Only the main payees of each are followed: through a hub, every pair would be a path.
with edges as (

    select * from {{ ref('fund_chain_edges') }}
    where payee_rank <= {{ limit('money_thresholds', 'paths_per_hop') }}

),

paths as (

    select
        first_hops.payer_key as customer_key,
        first_hops.payee_key as via_key,
        next_hops.payee_key as next_key,
        first_hops.payee_type as via_type,
        next_hops.payee_type as next_type,
        first_hops.payer_share as via_share,
        first_hops.payer_share * next_hops.payer_share as path_share
    from edges as first_hops
    inner join edges as next_hops on first_hops.payee_key = next_hops.payer_key
    where first_hops.payer_type = 'customer' and next_hops.payee_key <> first_hops.payer_key

),

ranked as (

    select
        *,
        row_number() over (partition by customer_key order by path_share desc, via_key, next_key) as path_rank
    from paths

)

select
    customer_key,
    cast(path_rank as integer) as path_rank,
    via_key,
    via_type,
    via_share,
    next_key,
    next_type,
    path_share
from ranked
where path_rank <= {{ limit('money_thresholds', 'paths_per_customer') }}
