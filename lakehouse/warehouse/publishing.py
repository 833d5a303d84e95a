"""The one loop by which every store publishes: compare with what readers see, replace what differs, show it at once."""

from dataclasses import replace

from lakehouse.settings import Settings
from lakehouse.warehouse import live, publication
from lakehouse.warehouse.publication import Columns, Model, Partition, Publication, Snapshot
from lakehouse.warehouse.stores import Publishing, Store


def publish(store: Store, settings: Settings, models: list[Model], schemas: tuple[str, ...], new: Publication) -> int:
    """Replace the published schemas by what dbt built of them.

    Parameters
    ----------
    models : list of Model
        All models of ``schemas``, views last.
    new : Publication
        Business date, run and time, which all published tables share.

    Returns
    -------
    int
        The publish id.

    Raises
    ------
    CannotPublish
        If a build was cut short, or a model was never built or shows a PII column; readers see nothing of it then.
    """
    with store.publishing(settings) as work:
        publication.check_finished(schemas, work.is_building)
        kept = work.last.without(schemas)
        now = replace(kept, publish_id=work.last.publish_id + 1)
        for name in work.last.publications.keys() - kept.publications.keys() - {model.full_name for model in models}:
            work.drop(name)
        for model in models:
            columns = work.columns(model.built_name)
            publication.check_columns(model, columns)
            if model.is_view:
                row_count, content = None, _replace_view(work, model, columns, now)
            else:
                views = [view.full_name for view in models if view.is_view and model.full_name in view.reads]
                now.partitions[model.full_name] = _replace_table(work, model, columns, views)
                whole = publication.whole_of(columns, now.partitions[model.full_name])
                row_count, content = whole.row_count, whole.content_hash
            now.publications[model.full_name] = replace(new, row_count=row_count, content_hash=content)
        is_whole = set(schemas) == set(publication.SCHEMAS)
        work.show(now, live.DAILY_FLOW in now.publications, is_whole)
        work.note_published(now.publish_id, is_whole)
    return now.publish_id


def _replace_view(work: Publishing, model: Model, columns: Columns, now: Snapshot) -> str:
    """Returns the content hash."""
    definition = publication.published_definition(work.definition(model))
    work.replace_view(model, columns, definition)
    return publication.view_hash(definition, [now.publications[name].content_hash for name in model.reads])


def _replace_table(work: Publishing, model: Model, columns: Columns, views: list[str]) -> dict[str, Partition]:
    before = work.last.partitions.get(model.full_name, {})
    after = publication.current_partitions(model, columns, before, work.unpublished_from, work.hasher(model, columns))
    work.replace_table(model, columns, before, after, views)
    return after
