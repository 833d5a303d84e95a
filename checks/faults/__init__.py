"""The table of ``make faults``: every fault that was planted, and what readers, tables and sums were afterwards."""
