"""The catalog: every relation once, with types that the engines share."""

from dataclasses import fields

import pyarrow as pa
import pytest

from lakehouse import catalog
from lakehouse.lake import Outcome


def test_names_are_unique_and_every_column_is_described():
    relations = catalog.relations()
    assert len({relation.full_name for relation in relations}) == len(relations)
    for relation in relations:
        names = [column.name for column in relation.columns]
        assert len(set(names)) == len(names)
        assert all(text for text in (relation.description, *(column.description for column in relation.columns)))


def test_everything_that_is_kept_of_a_delivery_is_attached():
    attached = {column.name for column in catalog.DELIVERY_OUTCOMES.columns}
    assert attached >= {field.name for field in fields(Outcome)}


def test_files_have_all_columns_but_those_that_are_constant_within_them():
    assert catalog.SCORES.arrow_schema.names[:2] == ["customer_key", "as_of_date"]
    assert catalog.SCORES.typed_columns[-1] == ("task", "varchar")
    assert catalog.CHANGE_POINTS.arrow_schema.field("usual_amount").type == pa.decimal128(38, 2)


def test_a_type_that_the_engines_do_not_share_is_refused():
    with pytest.raises(KeyError, match="hugeint"):
        catalog.arrow_type("hugeint")
