"""The one loop by which every store publishes: compare with what readers see, replace what differs, show it at once."""

from dataclasses import replace
from datetime import UTC, date

from lakehouse.settings import Settings
from lakehouse.warehouse import live, publication
from lakehouse.warehouse.canaries import Canaries
from lakehouse.warehouse.comments import Comments
from lakehouse.warehouse.levels import Levels, check_columns, check_roles
from lakehouse.warehouse.publication import Columns, Model, Partition, Publication, Snapshot
from lakehouse.warehouse.rights import Rights
from lakehouse.warehouse.stores import Publishing, Store


def publish(
    store: Store,
    settings: Settings,
    models: list[Model],
    schemas: tuple[str, ...],
    new: Publication,
    comments: Comments,
    rights: Rights | None = None,
    levels: Levels | None = None,
) -> int:
    """Replace the published schemas by what dbt built of them.

    Parameters
    ----------
    models : list of Model
        All models of ``schemas``, views last.
    new : Publication
        Business date, run and time, which all published tables share.
    comments : mapping
        Of all that readers see, whether or not it is published now.
    rights : Rights, optional
        Who may read what of it. Without them the store's stay as they are, and what is new is the owner's.
    levels : Levels, optional
        The security level of every column, where the lineage of the project is known.

    Returns
    -------
    int
        The publish id.

    Raises
    ------
    CannotPublish
        If a build was cut short, or a model was never built, or it shows personal data, or more than its schema or a
        role may show; readers see nothing of it then.
    """
    with store.publishing(settings) as work:
        publication.check_finished(schemas, work.is_building)
        kept = work.last.without(schemas)
        now = replace(kept, publish_id=work.last.publish_id + 1)
        for name in work.last.publications.keys() - kept.publications.keys() - {model.full_name for model in models}:
            work.drop(name)
        built = {model.full_name: work.columns(model.built_name) for model in models}
        _check_levels(levels, rights, models, built)
        _check_privacy(work, settings, models, built, new.business_date)
        for model in models:
            columns = built[model.full_name]
            if model.is_view:
                row_count, content = None, _replace_view(work, model, columns, now)
            else:
                now.partitions[model.full_name] = _replace_table(work, model, columns, _views_of(model, models))
                whole = publication.whole_of(columns, now.partitions[model.full_name])
                row_count, content = whole.row_count, whole.content_hash
            now.publications[model.full_name] = replace(new, row_count=row_count, content_hash=content)
        is_whole = set(schemas) == set(publication.SCHEMAS)
        work.show(now, comments, live.DAILY_FLOW in now.publications, is_whole)
        if rights:
            work.guard(rights, is_whole)
        work.note_published(now.publish_id, is_whole)
    return now.publish_id


def _views_of(table: Model, models: list[Model]) -> list[str]:
    return [view.full_name for view in models if view.is_view and table.full_name in view.reads]


def _check_levels(levels: Levels | None, rights: Rights | None, models: list[Model], built: dict[str, Columns]) -> None:
    if levels:
        check_columns(levels, built, models)
        check_roles(levels, rights or Rights(()))


def _check_privacy(
    work: Publishing, settings: Settings, models: list[Model], built: dict[str, Columns], business_date: date
) -> None:
    """Refuse tables, pages and logs that show a person, before any of it is written for readers."""
    for model in models:
        publication.check_columns(model, built[model.full_name])
    tables = [model for model in models if not model.is_view]  # a view shows what published tables show
    canaries = Canaries(settings, business_date)
    canaries.check_tables((model, built[model.full_name], work.texts(model)) for model in tables)
    canaries.check_files(_last_published(work.last))


def _last_published(last: Snapshot) -> float:
    """When readers got what they see, as Unix time."""
    moments = [publication.published_at for publication in last.publications.values()]
    return max(moments).replace(tzinfo=UTC).timestamp() if moments else 0


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
