"""Task files: one YAML file describes one score, of the bank's tables or of a user's table."""

import csv
from datetime import date
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from lakehouse.errors import Stop
from lakehouse.language import Voice
from lakehouse.settings import PROJECT
from lakehouse.yaml_files import read_yaml

TASK_NAME = r"^[a-z][a-z0-9_]*$"
Name = Annotated[str, StringConstraints(pattern=TASK_NAME)]
Population = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*( > \d+(\.\d+)?)?$")]
StoreTable = Annotated[str, StringConstraints(pattern=r"^[a-z_]+\.[a-z0-9_]+$")]
Share = Annotated[float, Field(gt=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Value = str | int | float | bool


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Parameters(_Strict):
    """Hyperparameters of scikit-learn's HistGradientBoostingClassifier; the others stay at their defaults."""

    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.05
    max_iter: Count = 500  # the most; how many are used is chosen on the validation rows
    max_leaf_nodes: Annotated[int, Field(ge=2, le=8)] = 8  # `shapley` tabulates every path through a tree
    min_samples_leaf: Count = 20
    max_features: Share = 0.5  # of the features, drawn at each split: related ones take turns
    l2_regularization: Annotated[float, Field(ge=0)] = 5.0


class Alternative(_Strict):
    """Hyperparameters that replace those of the task in one trial of the search."""

    learning_rate: Annotated[float, Field(gt=0, le=1)] | None = None
    max_leaf_nodes: Annotated[int, Field(ge=2, le=8)] | None = None
    min_samples_leaf: Count | None = None
    max_features: Share | None = None
    l2_regularization: Annotated[float, Field(ge=0)] | None = None


class Split(_Strict):
    """How rows are divided into development and test rows.

    ``time``: later rows test. ``folds``: repeated, stratified cross-validation that keeps groups together.
    ``automatic``: by time where there is an as-of date, otherwise by folds.
    """

    scheme: Literal["automatic", "time", "folds"] = "automatic"
    test_from: date | None = None
    test_share: Annotated[float, Field(gt=0, lt=1)] = 0.25  # of the rows, if `test_from` does not say
    test_months: Count = 3  # of the bank's tasks; fewer while the history is short
    folds: Annotated[int, Field(ge=2, le=20)] = 5
    repeats: Count | None = None  # by the number of rows: 10 below 1,000, 4 below 5,000, 2 below 30,000, then 1


class Reading(_Strict):
    """How a delimited file is written, where it does not show; `c360 ml new` writes down what it found."""

    delimiter: Annotated[str, Field(min_length=1, max_length=4)] | None = None  # one character, or "tab"
    encoding: str | None = None  # by default UTF-8, or what a byte order mark says
    decimal: Literal[".", ","] | None = None  # the mark before decimals, where columns do not show it
    date_order: Literal["dmy", "mdy"] | None = None  # of 03/04/2024


class Baseline(_Strict):
    """The one-line rule: rank by ``sign`` times ``feature``."""

    feature: str
    sign: Literal[-1, 1]


class Bands(_Strict):
    """Shares of the list, from rank 1 on, at which the bands high and medium end."""

    high: Share = 0.05
    medium: Share = 0.20


class Phrase(_Strict):
    """A reason in words."""

    en: str
    zh: str

    def said(self, say: Voice) -> str:
        """In the reader's language."""
        return self.zh if say.language == "zh" else self.en


class Minimum(_Strict):
    """With less than this a task abstains."""

    fit_months: Count = 3
    positives: Count = 20  # and as many negatives, to fit
    test_positives: Count = 5  # and as many negatives, to validate and to test


class Activity(_Strict):
    """An extract that has ended: fewer than this share of the customers with ``open`` > 0 have ``recent`` > 0."""

    open: Name
    recent: Name
    minimum_share: Share


class Promotion(_Strict):
    """When a new model (the challenger) takes over from the one in use (the champion), on the challenger's test rows.

    It does unless the champion's log loss is lower beyond the 95 % interval of the difference, or the challenger's
    ROC AUC is below ``minimum_roc_auc``.
    """

    minimum_roc_auc: Annotated[float, Field(ge=0.5, lt=1)] = 0.55


class Task(_Strict):
    """One score. Only `task`, `table`, `label` and `positive` are needed; docs/MODELS.md explains every key."""

    task: Name
    title: Annotated[Phrase | None, Field(exclude=True)] = None  # the outcome in words; the bank's tasks have one
    dated_reasons: Annotated[bool, Field(exclude=True)] = False  # each names the as-of date: it may have to be proven
    table: str  # of the store (schema.table), or a Parquet or CSV file, relative to the task file
    labels: StoreTable | None = None  # the bank's tasks: customer_key, as_of_date, horizon_days, ripe_date, label
    treatment: Name | None = None  # 0/1 column of the label table, drawn at random: the score is its effect
    horizons: tuple[Count, ...] = ()  # days of a survival task: one probability of staying for each
    population: Population | None = None  # of a bank's task: a feature above 0, or `feature > number`; default all
    hazard: Annotated[Name | None, Field(exclude=True)] = None  # in the simulator's truth, if not the task's name
    plain_task: Annotated[Name | None, Field(exclude=True)] = None  # predicts the outcome of a `treatment` without it
    reading: Reading = Reading()
    entity: str | None = None  # whom a row is about; by default every row is about another one
    label: str
    positive: Value
    as_of_date: str | None = None
    horizon_days: Annotated[int, Field(ge=0)] = 0
    features: tuple[str, ...] | None = None  # by default all other columns
    exclude: dict[str, str] = {}  # column: why
    known_in_time: tuple[str, ...] = ()  # columns vouched for, though they look as if they held the outcome
    categorical: tuple[str, ...] = ()  # numbers that are codes
    groups: str | None = None  # rows that stay on one side of every split; by default those of one entity
    split: Split = Split()
    algorithm: Literal["automatic", "hist_gradient_boosting", "logistic_regression", "scorecard"] = "automatic"
    scorecard: dict[Name, Literal[-1, 1]] = {}  # feature: 1 if more of it is riskier; judged beside the model
    parameters: Parameters = Parameters()
    search: tuple[Alternative, ...] = ()
    training_rows: Count = 400_000
    baseline: Baseline | None = None  # by default the best single feature, chosen on the training rows
    capacity: tuple[Share, ...] = (0.01, 0.05, 0.10)  # shares of the list that the bank can call
    bands: Bands = Bands()
    reasons: dict[str, Phrase] = {}
    segments: dict[str, tuple[float, ...]] = {}  # column: inner edges of its bands, none for a column of few values
    fairness: dict[str, tuple[float, ...]] = {}  # likewise; a comparison only, which makes no column a feature
    minimum: Minimum = Minimum()
    activity: Activity | None = None
    promotion: Promotion = Promotion()

    @field_validator("capacity")
    @classmethod
    def _ascending(cls, shares: tuple[float, ...]) -> tuple[float, ...]:
        if not shares or list(shares) != sorted(set(shares)):
            raise ValueError("must be shares in ascending order, for instance [0.01, 0.05, 0.10]")
        return shares

    @model_validator(mode="after")
    def _consistent(self) -> "Task":
        if self.labels and (self.entity, self.as_of_date) != ("customer_key", "as_of_date"):
            raise ValueError("with `labels`, entity must be customer_key and as_of_date must be as_of_date")
        if self.labels and not self.title:
            raise ValueError("with `labels`, the score is shown to people: say what it predicts in `title: {en, zh}`")
        if self.treatment and not self.labels:
            raise ValueError("`treatment` is for the bank's tasks, whose label model has the column")
        if self.plain_task and not self.treatment:
            raise ValueError("`plain_task` is for a task with a `treatment`: the task that predicts without it")
        if self.horizons and not self.labels:
            raise ValueError("`horizons` is for the bank's tasks, which follow customers over month-ends")
        if self.population and not self.labels:
            raise ValueError("`population` is for the bank's tasks: leave the other rows out of the table")
        if self.labels and not self.horizon_days:
            raise ValueError("with `labels`, horizon_days must be that of the label model")
        if self.split.scheme == "time" and not self.as_of_date:
            raise ValueError("split: scheme time needs `as_of_date`; use folds for rows without a date")
        if self.scorecard and (not self.labels or self.treatment or self.horizons):
            raise ValueError("`scorecard` is for the bank's tasks with one horizon and without a `treatment`")
        if self.algorithm == "scorecard" and not self.scorecard:
            raise ValueError("algorithm: a scorecard needs its features and their directions under `scorecard`")
        if self.bands.high >= self.bands.medium:
            raise ValueError("bands: high must be a smaller share than medium")
        return self

    @property
    def is_of_the_bank(self) -> bool:
        """Whether the daily pipeline scores it, from a feature table and a label table of the store."""
        return self.labels is not None

    @property
    def population_above(self) -> tuple[str, float] | None:
        """The feature that says whom the task is about, and the number above which it lies; None: it is about all."""
        if self.population is None:
            return None
        feature, _, limit = self.population.partition(" > ")
        return feature, float(limit or 0)

    @property
    def true_hazard(self) -> str:
        """The column of the simulator's ``hazards.parquet`` with the true probability of the outcome."""
        return self.hazard or self.task


FILES = (".parquet", ".csv", ".tsv", ".txt", ".dat", ".psv", ".gz")  # names of files, which no table of the store has
FOLDER = Path(__file__).with_name("tasks")


@cache
def load_tasks(folder: Path = FOLDER) -> dict[str, Task]:
    """The bank's tasks: all task files in ``folder``, by task.

    Raises
    ------
    ValueError
        If a file is not a valid task, or its name is not the task's; the message names the file and the key.
    """
    return {path.stem: load_task(path) for path in sorted(folder.glob("*.yml"))}


def task_said(task: str, say: Voice) -> str:
    """What a score is about; one that the bank no longer has keeps its name."""
    found = load_tasks().get(task)
    return say.code(task) if found is None or found.title is None else found.title.said(say)


def task_named(task: str, say: Voice) -> str:
    """A score as commands call it; in Chinese with what it is about.

    >>> task_named("churn", Voice()), task_named("churn", Voice("zh"))
    ('churn', 'churn 90天内离行')
    """
    title = "" if say.language == "en" else task_said(task, say)
    return f"{task} {title}".strip() if title != say.code(task) else task


def load_task(path: Path) -> Task:
    """One task file.

    Raises
    ------
    ValueError
        If it is not a valid task, or its name is not the task's; the message names file, key and remedy.
    """
    try:
        task = Task.model_validate(read_yaml(path))
    except yaml.YAMLError as error:
        raise Stop(f"{path}: not YAML: {error}") from error
    except ValidationError as error:
        problems = "\n".join(f"  {_describe(problem)}" for problem in error.errors())
        raise Stop(f"{path}: not a valid task:\n{problems}") from error
    if task.task != path.stem:
        raise Stop(f"{path}: task: describes the task {task.task}: name the file {task.task}.yml")
    return task


def find_task(name: str) -> tuple[Task, Path]:
    """A task by the name of one of the bank's, or by the path of a task file; and its file.

    Raises
    ------
    ValueError
        If there is none, or its file is not valid.
    """
    of_the_bank = FOLDER / f"{name}.yml"
    path = of_the_bank if of_the_bank.exists() else Path(name)
    if not path.is_file():
        raise Stop(
            f"{name} is neither a task ({', '.join(load_tasks())}) nor a task file: "
            f"draft one with `c360 ml new NAME --data FILE`"
        )
    return load_task(path), path


def _describe(problem: ErrorDetails) -> str:
    """One of pydantic's errors: the key, what is wrong with it, and what to do."""
    *parents, key = problem["loc"] or ("task file",)
    where = ".".join(map(str, problem["loc"])) or "task file"
    match problem["type"]:
        case "extra_forbidden":
            model: type[BaseModel] = Task
            for parent in parents:
                if parent in model.model_fields:
                    kind = model.model_fields[parent].annotation
                    model = kind if isinstance(kind, type) and issubclass(kind, BaseModel) else Task
            near = get_close_matches(str(key), model.model_fields, n=1)
            return f"{where}: no such key" + (f": did you mean {near[0]}?" if near else ": remove it")
        case "missing":
            return f"{where}: missing: add it"
        case _:
            return f"{where}: {problem['msg']} (it is {problem['input']!r}): correct it"


def data_path(task: Task, path: Path, data: Path | None) -> Path | None:
    """The file of the task's table: the given one, or the one that the task names; None for a table of the store."""
    if data is not None:
        return data
    named = (path.parent / task.table).resolve()
    return named if named.is_file() or named.name.lower().endswith(FILES) else None


def phrases(task: Task) -> dict[str, Phrase]:
    """Reasons in words, by feature: those of the bank's seed; those of the task have precedence."""
    return _seed_phrases() | task.reasons


@cache
def _seed_phrases() -> dict[str, Phrase]:
    return {line["reason_code"]: Phrase(en=line["phrase_en"], zh=line["phrase_zh"]) for line in _seed()}


@cache
def said_by() -> dict[str, str]:
    """The column whose value people hear instead, of each feature that is measured against what is usual on the day.

    Such a column is no feature: it moves for everybody at once, with yields, prices and habits, and a model would take
    the drift for a change of risk.
    """
    return {line["reason_code"]: line["said_by"] for line in _seed() if line["said_by"]}


def _seed() -> list[dict[str, str]]:
    """The lines of the seed ``reason_phrases``."""
    with (PROJECT / "dbt_project" / "seeds" / "reason_phrases.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))
