"""The task files under ``ml_jobs/tasks``: one YAML file describes one score."""

from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

Relation = Annotated[str, StringConstraints(pattern=r"^[a-z_]+\.[a-z0-9_]+$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
Share = Annotated[float, Field(gt=0, le=1)]
Count = Annotated[int, Field(ge=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Parameters(_Strict):
    """What scikit-learn's HistGradientBoostingClassifier is given; everything else stays at its default."""

    learning_rate: float
    max_iter: Count
    max_leaf_nodes: Annotated[int, Field(ge=2, le=8)]  # `explain` tabulates every way through a tree
    min_samples_leaf: Count
    max_features: Share
    l2_regularization: float


class Calibration(_Strict):
    """From how many positives in the calibration months isotonic regression takes the place of a sigmoid."""

    isotonic_from_positives: Count


class Baseline(_Strict):
    """The one-line rule: rank by ``sign`` times ``feature``."""

    feature: Name
    sign: Literal[-1, 1]


class Bands(_Strict):
    """Shares of the customers, counted from rank 1, that end the bands high and medium."""

    high: Share
    medium: Share


class Minimum(_Strict):
    """Below these figures a task abstains."""

    fit_months: Count
    positives: Count
    test_positives: Count


class Activity(_Strict):
    """An extract that has ended: fewer than this share of the customers with ``open`` > 0 have ``recent`` > 0."""

    open: Name
    recent: Name
    minimum_share: Share


class Task(_Strict):
    """One score."""

    task: Name
    features: Relation
    label: Relation
    horizon_days: Count
    algorithm: Literal["hist_gradient_boosting"]
    parameters: Parameters
    training_rows: Count
    calibration: Calibration
    baseline: Baseline
    bands: Bands
    minimum: Minimum
    activity: Activity

    @property
    def model_name(self) -> str:
        return f"{self.task}-{self.algorithm}"


FOLDER = Path(__file__).with_name("tasks")


@cache
def load_tasks(folder: Path = FOLDER) -> dict[str, Task]:
    """All task files in ``folder``, by task.

    Raises
    ------
    ValueError
        If a file is not a valid task, or its name is not the task's; the message names the file and the key.
    """
    tasks = {}
    for path in sorted(folder.glob("*.yml")):
        try:
            task = Task.model_validate(yaml.safe_load(path.read_text()))
        except (ValidationError, yaml.YAMLError) as error:
            raise ValueError(f"{path}: not a valid task: {error}") from error
        if task.task != path.stem:
            raise ValueError(f"{path}: describes the task {task.task}: name the file {task.task}.yml")
        tasks[task.task] = task
    return tasks
