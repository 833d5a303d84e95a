"""Alerts that leave the system: who is told of what, once, by mail or webhook.

The rules (`rules`) are `alerts.yml`; each finds rows of a published table, its cases (`cases`). Who has not been told
of a case yet gets one message per rule (`messages`, `targets`); the lake remembers who was told when (`telling`).
"""

from c360.alerts.rules import Alerts, load_alerts
from c360.alerts.telling import NotTold, Plan, Result, acknowledge, plan, planned, send, tell

__all__ = ["Alerts", "NotTold", "Plan", "Result", "acknowledge", "load_alerts", "plan", "planned", "send", "tell"]
