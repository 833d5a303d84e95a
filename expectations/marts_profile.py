"""What the gate marts -> readers looks at, asked of the build engine and of the last published version."""

from datetime import date

import pyarrow as pa

from c360.settings import Settings


def frames(settings: Settings, business_date: date) -> dict[str, pa.Table]:
    """Suite name -> frame."""
    return {}
