"""From any state of the tables to any other, by alembic; its versions lie beside this file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

FOLDER = Path(__file__).parent / "migrations"
NOTHING = "0000"


def scripts() -> ScriptDirectory:
    """The versions that this program knows."""
    return ScriptDirectory(str(FOLDER))


def newest() -> str:
    """The version that this program works with."""
    head = scripts().get_current_head()
    assert head is not None
    return head


def known() -> list[str]:
    """Every version, the oldest first."""
    return [NOTHING, *(script.revision for script in reversed(list(scripts().walk_revisions())))]


def version_of(connection: Connection) -> str:
    """The version of a database: NOTHING where there are no tables of ours."""
    if not inspect(connection).has_table("alembic_version"):
        return NOTHING
    return MigrationContext.configure(connection).get_current_revision() or NOTHING


def migrate(connection: Connection, to: str) -> None:
    """Bring the tables to a version, up or down, inside the transaction that is open.

    to  one of `known()`
    """
    directory, now = scripts(), version_of(connection)
    order = known()

    def steps(heads: str | tuple[str, ...] | None, context: MigrationContext) -> Iterable[Any]:
        if order.index(to) >= order.index(now):
            return directory._upgrade_revs(to, now if now != NOTHING else "base")
        return directory._downgrade_revs(to if to != NOTHING else "base", now)

    context = MigrationContext.configure(connection, opts={"fn": steps, "transactional_ddl": True})
    with Operations.context(context):
        context.run_migrations()
