"""account_id leads the key of orders

Every row of an account can then live with its account, should accounts ever be spread over
several databases.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "b7c41f0d92e5"
down_revision: str | Sequence[str] | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.drop_constraint(op.f("pk_orders"), "orders", type_="primary")
    op.create_primary_key(op.f("pk_orders"), "orders", ["account_id", "id"])


def downgrade() -> None:
    op.drop_constraint(op.f("pk_orders"), "orders", type_="primary")
    op.create_primary_key(op.f("pk_orders"), "orders", ["id"])
