"""deposits"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "e34207940bd4"
down_revision: str | Sequence[str] | None = "b7c41f0d92e5"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "deposits",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("client_deposit_id", sa.String(length=64), nullable=False),
        sa.Column("currency", sa.String(length=16), nullable=False),
        sa.Column("amount", sa.Numeric(precision=38, scale=18), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("amount > 0 AND amount < 1e20", name=op.f("ck_deposits_amount_range")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_deposits_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f("pk_deposits")),
        sa.UniqueConstraint("account_id", "client_deposit_id", name=op.f("uq_deposits_account_id")),
    )


def downgrade() -> None:
    op.drop_table("deposits")
