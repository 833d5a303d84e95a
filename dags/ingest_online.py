"""
### Purpose
Takes the online deliveries of a business date (registrations, app and web events, mall, wallets, campaigns, leads) from
the landing folder into the lake, and checks them.

### Notes
- As `ingest_branch`. A deployment that declares no online feed has no such DAG, and the build does not wait for it.
- Back-fill it over the same dates as `ingest_branch`: a date is built when both have it.
"""

from c360.scheduling import LAKE, ingest_dag

if "lake_online" in LAKE:
    ingest_online = ingest_dag("ingest_online", "lake_online", __doc__)  # an Airflow DAG
