"""Dashboards: made from dbt's metadata, the metrics and the files of ``dashboards/``, shown by Apache Superset."""
