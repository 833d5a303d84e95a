"""The lake, its engines and stores, and what leads into them: files, identity, events."""

import os

# Before NumPy is imported: BLAS's threads spin while they wait, and matrices of a score are too small to share. One
# thread also sums in one order on every machine.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
