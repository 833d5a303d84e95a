#!/bin/sh
# Run once by the Postgres image: the role that builds and publishes owns the warehouse, is no superuser, and makes no
# roles; another, for dashboards and the API, reads what is published. What the others read, `c360 roles apply` grants.
# Roles that are there stay, so an older installation gets what it lacks by the statement in the middle.
set -eu
psql --set ON_ERROR_STOP=1 --set password="$C360_WAREHOUSE_PASSWORD" --set reader="$C360_READER_PASSWORD" \
    --username "$POSTGRES_USER" --dbname postgres <<'SQL'
create role c360 login password :'password';
alter database warehouse owner to c360;

select format('create role %I', name)
from unnest(array[
    'c360_reader',
    'c360_pii_reader',
    'c360_relationship_manager',
    'c360_branch_manager',
    'c360_branch_reader',
    'c360_call_centre',
    'c360_clerk',
    'c360_business_analyst',
    'c360_operator',
    'c360_risk_officer',
    'c360_privacy_officer',
    'c360_auditor',
    'c360_scorer',
    'c360_analyst',
    'c360_downstream'
]) as names (name)
where not exists (select from pg_roles where rolname = name) \gexec

create role reader login password :'reader' in role c360_reader;
SQL
