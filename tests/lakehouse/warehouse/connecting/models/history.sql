{{ config(tags=['whole_history']) }}
select 1 as row_count
