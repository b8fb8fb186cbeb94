"""Where Alembic starts: it migrates the connection that the journal hands over.

There is no command line for it: the journal migrates itself, and a new version is a new file in
`versions`, written by hand.
"""

from alembic import context

from scalp_strategy.journal.models import VERSION_TABLE, Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
