"""Reports over what is published. Each has ``read`` (from the serving store), ``tables`` (for a terminal) and ``page``.

``read`` returns a frozen dataclass; the command prints its fields as JSON under their names.
"""

from collections.abc import Mapping
from typing import Any

Row = Mapping[str, Any]  # a row of a published table: column -> value
