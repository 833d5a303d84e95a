"""Scores: task files, point-in-time training, honest figures, and one Parquet file per task and business date."""
