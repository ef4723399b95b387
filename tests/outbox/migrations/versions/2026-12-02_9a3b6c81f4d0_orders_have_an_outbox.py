"""orders have an outbox"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "9a3b6c81f4d0"
down_revision: str | Sequence[str] | None = "HEAD"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "outbox_messages",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("body", sa.String(length=2000), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_outbox_messages_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f("pk_outbox_messages")),
    )


def downgrade() -> None:
    op.drop_table("outbox_messages")
