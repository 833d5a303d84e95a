"""Activation: what is published goes to other systems as changes, each once.

A contract (`contract`) says what goes where. The difference between what is published and what the target has is the
plan (`planning`, `changes`); it is sent in batches (`sending`, `targets`), and the lake remembers what arrived
(`ledger`).
"""

from lakehouse.activation.contract import Activation, activation_of, load_activations
from lakehouse.activation.planning import Plan, plan
from lakehouse.activation.sending import NotDelivered, Sent, send

__all__ = ["Activation", "NotDelivered", "Plan", "Sent", "activation_of", "load_activations", "plan", "send"]
