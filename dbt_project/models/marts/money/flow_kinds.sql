select * from {{ ref('int_money__flow_kinds') }}
