"""
### Purpose
Takes the branch and reference deliveries of a business date (core banking, CRM, queue; products, rates) from the
landing folder into the lake, and checks them.

### Notes
- One task per feed of the deployment. A bad row goes to quarantine, a bad file is rejected whole; the rest goes on.
- `check_delivered` stops the day when a required feed is missing or an expectation fails. Its message says what to do.
- Back-fill: `airflow backfill create --dag-id ingest_branch --from-date D1 --to-date D2`; the DAGs after it follow by
  themselves. A run for a date that ran before takes in what was delivered since, and changes nothing else.
"""

from c360.scheduling import ingest_dag

ingest_branch = ingest_dag("ingest_branch", "lake_branch", __doc__)  # an Airflow DAG
