"""Benchmarks: how fast the pipeline is, beside the least work that gives equal figures."""
