"""The network of payments: who is where in the fund chain."""

from c360.network.nodes import write_network

__all__ = ["write_network"]
