"""Alembic's entry: runs on the connection that `hub.store.migrate` hands over; there is no configuration file."""

from alembic import context

from hub.store.columns import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
