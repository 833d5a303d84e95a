"""Counter-based randomness: a draw is a hash of (seed, stream, keys), so it never depends on what was drawn before."""

from zlib import crc32

import numpy as np
from scipy.special import ndtri

_GOLDEN = 0x9E3779B97F4A7C15
_MASK = 0xFFFFFFFFFFFFFFFF


def _mix(state: np.ndarray) -> np.ndarray:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014), a bijection on 64 bits."""
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


class Draws:
    """Random numbers addressed by a stream's name and integer keys (arrays broadcast)."""

    def __init__(self, seed: int) -> None:
        # Mixed before it meets the keys: else seed 2 would be seed 1 moved on by one customer.
        self._seed = int(_mix(np.array([((seed + 1) * _GOLDEN) & _MASK], np.uint64))[0])

    def bits(self, stream: str, *keys: np.ndarray | int) -> np.ndarray:
        """64 random bits per key, shape of the broadcast keys."""
        state = np.array([(self._seed + crc32(stream.encode()) * 0xD1B54A32D192ED03) & _MASK], np.uint64)
        for key in keys:
            state = _mix(state + np.asarray(key).astype(np.uint64) * np.uint64(_GOLDEN) + np.uint64(1))
        return state

    def uniform(self, stream: str, *keys: np.ndarray | int) -> np.ndarray:
        """Uniform on the open interval (0, 1)."""
        return ((self.bits(stream, *keys) >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53

    def normal(self, stream: str, *keys: np.ndarray | int) -> np.ndarray:
        """Standard normal."""
        return ndtri(self.uniform(stream, *keys))

    def integers(self, high: int | np.ndarray, stream: str, *keys: np.ndarray | int) -> np.ndarray:
        """Integers in [0, high), int64."""
        return (self.uniform(stream, *keys) * high).astype(np.int64)

    def choice(self, weights: np.ndarray | list[float], stream: str, *keys: np.ndarray | int) -> np.ndarray:
        """Index of one of the ``weights`` (which need not sum to 1), int64."""
        cumulative = np.cumsum(weights) / np.sum(weights)
        return np.searchsorted(cumulative[:-1], self.uniform(stream, *keys), side="right")

    def poisson(self, mean: np.ndarray, stream: str, *keys: np.ndarray | int) -> np.ndarray:
        """Poisson counts by inversion, int64; ``mean`` up to about 40."""
        target = self.uniform(stream, *keys)
        mean = np.broadcast_to(mean, target.shape)
        term = np.exp(-mean)
        cumulative, count = term.copy(), np.zeros(target.shape, np.int64)
        for step in range(1, 100):
            above = target > cumulative
            if not above.any():
                break
            count += above
            term = term * mean / step
            cumulative += term
        return count
