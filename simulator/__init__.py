"""A seeded bank: ``generate`` writes its deliveries and, apart from them, the truth behind them."""

from simulator.bank import Summary, generate

__all__ = ["Summary", "generate"]
