"""What is noted in the audit besides the lake's own records: changed rules, views and exports of commands."""

from c360.audit.anchoring import anchor, anchors_in, close
from c360.audit.commands import note, note_views, who
from c360.audit.rules import note_rules

__all__ = ["anchor", "anchors_in", "close", "note", "note_rules", "note_views", "who"]
