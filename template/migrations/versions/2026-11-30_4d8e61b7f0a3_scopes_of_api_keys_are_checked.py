"""scopes of API keys are checked"""

from collections.abc import Sequence

from alembic import op

revision: str = "4d8e61b7f0a3"
down_revision: str | Sequence[str] | None = "e34207940bd4"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_check_constraint(
        op.f("ck_api_keys_scopes"),
        "api_keys",
        "scopes <@ ARRAY['read', 'trade', 'admin']::varchar[]",
    )


def downgrade() -> None:
    op.drop_constraint(op.f("ck_api_keys_scopes"), "api_keys", type_="check")
