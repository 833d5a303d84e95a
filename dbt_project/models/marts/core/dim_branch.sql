with branches as (

    select * from {{ ref('stg_reference__branches') }}

)

select
    branch_code,
    branch_name,
    branch_name_en,
    city,
    region,
    average_salary as average_salary_amount,
    unemployment_rate
from branches
