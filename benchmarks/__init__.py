"""How fast the pipeline is, beside the least work that gives the same numbers."""
