#!/bin/sh
# Run once by the Postgres image: the role that builds and publishes owns the warehouse, is no superuser, and makes no
# roles; another, for dashboards and the API, reads what is published. What the others read, `c360 roles apply` grants.
set -eu
psql --set ON_ERROR_STOP=1 --set password="$C360_WAREHOUSE_PASSWORD" --set reader="$C360_READER_PASSWORD" \
    --username "$POSTGRES_USER" --dbname postgres <<'SQL'
create role c360 login password :'password';
alter database warehouse owner to c360;
create role c360_reader;
create role c360_pii_reader;
create role c360_relationship_manager;
create role c360_branch_manager;
create role c360_branch_reader;
create role c360_call_centre;
create role c360_clerk;
create role c360_risk_officer;
create role c360_auditor;
create role c360_scorer;
create role c360_analyst;
create role c360_downstream;
create role reader login password :'reader' in role c360_reader;
SQL
