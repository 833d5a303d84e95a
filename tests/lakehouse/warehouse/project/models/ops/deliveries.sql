select delivery_id, feed, outcome, cutoff_date, superseded_date
from raw.delivery_outcomes
