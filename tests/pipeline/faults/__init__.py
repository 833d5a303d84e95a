"""Faults planted into whole runs of a small bank, on either store; `make faults` prints what was measured."""
