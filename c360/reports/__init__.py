"""Reports over what is published. Each has ``read`` (from the serving store), ``tables`` (for a terminal) and ``page``.

``read`` returns a frozen dataclass; the command prints its fields as JSON under their names.
"""

from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa

Row = Mapping[str, Any]  # a row of a published table: column -> value
Query = Callable[[str, tuple[object, ...]], pa.Table]  # answers SQL over what is published; parameters are $1, $2, …
WHOSE = "whose"  # column of the SQL of many rows at once: whose the row is, a customer's, a branch's
