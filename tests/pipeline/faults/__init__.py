"""Faults planted into whole runs of a small bank; `make faults` prints what was measured."""
