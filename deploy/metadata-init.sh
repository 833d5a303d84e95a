#!/bin/sh
# Run once by the Postgres image of the metadata: a database for Superset beside Airflow's.
set -eu
psql --set ON_ERROR_STOP=1 --set password="$C360_BI_METADATA_PASSWORD" --username "$POSTGRES_USER" --dbname postgres <<'SQL'
create role superset login password :'password';
create database superset owner superset;
SQL
