select run_id, business_date, step, status, started_at, error
from raw.run_steps
