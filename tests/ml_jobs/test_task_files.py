"""The task files: valid, complete, and refused with the file's name and the key when they are not."""

import pytest
import yaml

from ml_jobs.tasks import FOLDER, load_tasks


def test_the_three_scores_are_described():
    tasks = load_tasks()
    assert list(tasks) == ["churn", "tier_downgrade", "tier_upgrade"]
    assert {task.horizon_days for task in tasks.values()} == {90}
    assert {task.label for task in tasks.values()} == {f"features.label_{name}" for name in tasks}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"horizon_days": 0}, "horizon_days"),
        ({"label": "features.label_churn; drop table x"}, "label"),
        ({"algorithm": "deep_thought"}, "algorithm"),
        ({"surprise": 1}, "surprise"),
        ({"task": "other"}, "name the file other.yml"),
    ],
)
def test_a_wrong_task_file_is_refused(tmp_path, change, message):
    path = tmp_path / "churn.yml"
    path.write_text(yaml.safe_dump(yaml.safe_load((FOLDER / "churn.yml").read_text()) | change))
    with pytest.raises(ValueError, match=f"(?s)churn.yml.*{message}"):
        load_tasks(tmp_path)
