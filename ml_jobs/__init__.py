"""Scores: task files, point-in-time training, honest figures, and one Parquet file per task and business date."""

import os

# Read by OpenMP when scikit-learn loads it. Threads that wait must not spin: on a machine that does other work, too,
# that takes longer than what they wait for.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
