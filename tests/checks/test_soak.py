"""The bounds of `make soak` break on planted figures: growth of cost and memory, errors and waits of readers."""

from dataclasses import replace

from benchmarks.soak import Day, Reads, flatness, patience

FLAT = [Day(f"d{number}", 20 + number % 3, 900.0, (10 * number, 10 * number + 3)) for number in range(30)]


def test_flat_dates_pass() -> None:
    assert [one.is_fine for one in flatness(FLAT)] == [True] * 4


def test_growth_breaks_the_bound_of_its_figure() -> None:
    dearer = [
        Day(day.business_date, day.processor_seconds + number, 900.0, day.served) for number, day in enumerate(FLAT)
    ]
    assert [one.is_fine for one in flatness(dearer)] == [False, False, True, True]
    larger = [replace(day, memory_mb=900.0 + 20 * number) for number, day in enumerate(FLAT)]
    assert [one.is_fine for one in flatness(larger)] == [True, True, False, False]


def test_a_slow_growth_of_few_dates_is_extended_to_all() -> None:
    slowly = [Day(f"d{number}", 20 + 0.1 * number, 900.0, (0, 0)) for number in range(12)]
    assert [one.is_fine for one in flatness(slowly)] == [True, False, True, True]


def test_readers_may_neither_fail_nor_wait() -> None:
    usual = [(at + 0.1, 0.02) for at in range(300)]  # three of ten fall into a publish
    assert [one.is_fine for one in patience(FLAT, Reads(usual))] == [True, True]
    assert [one.is_fine for one in patience(FLAT, Reads(usual, ["IOException: gone"]))] == [False, True]
    waiting = [(at, 0.05 if at % 10 < 3 else 0.02) for at, _ in usual]
    assert [one.is_fine for one in patience(FLAT, Reads(waiting))] == [True, False]
    assert [one.is_fine for one in patience(FLAT, Reads())] == [True, False]
