"""Steps in fresh processes: what each costs, its start and imports included."""

import os
import resource
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from time import perf_counter
from typing import Any

import typer


@dataclass(frozen=True)
class Stage:
    """What one step cost."""

    name: str
    seconds: float  # wall clock, the start of its process included
    peak_gb: float  # resident memory of its largest process


def run_stage(name: str, step: Callable, *arguments: Any, **options: Any) -> tuple[Stage, Any]:
    """Run a step in a fresh process; its cost, printed at once in case a later step fails, and what it returned."""
    typer.echo(f"{name} ...", err=True)
    start = perf_counter()
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        peak_gb, result = pool.submit(_with_peak, step, arguments, options).result()
    stage = Stage(name, perf_counter() - start, peak_gb)
    parts = {part: round(seconds, 1) for part, seconds in result.items()} if isinstance(result, dict) else ""
    typer.echo(f"{name} {stage.seconds:.1f} s {stage.peak_gb:.1f} GB {parts}", err=True)
    return stage, result


def _with_peak(step: Callable, arguments: tuple, options: dict) -> tuple[float, Any]:
    os.dup2(2, 1)  # a spawned process is a notebook to DuckDB, and its progress bars are no figures
    result = step(*arguments, **options)
    processes = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(process).ru_maxrss for process in processes) / 1e6, result
