#!/bin/sh
# Run once by the Postgres image: the role that builds and publishes, no superuser, owns the warehouse; another, for
# dashboards and the API, reads what is published.
set -eu
psql --set ON_ERROR_STOP=1 --set password="$C360_WAREHOUSE_PASSWORD" --set reader="$C360_READER_PASSWORD" \
    --username "$POSTGRES_USER" --dbname postgres <<'SQL'
create role c360 login createrole password :'password';
alter database warehouse owner to c360;
create role c360_reader;
create role reader login password :'reader' in role c360_reader;
SQL
