"""candles"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "a1c4e7d20b35"
down_revision: str | Sequence[str] | None = "1a5af6e53ace"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TIMEFRAMES = "timeframe IN ('1m', '3m', '5m', '15m', '30m', '1h', '4h', '1d')"
ALIGNED = "date_bin(timeframe::interval, open_time, '1970-01-01 00:00:00+00') = open_time"


def upgrade() -> None:
    op.create_table(
        "candle_gaps",
        sa.Column("symbol", sa.String(length=32), nullable=False),
        sa.Column("timeframe", sa.String(length=4), nullable=False),
        sa.Column("open_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.String(length=16), nullable=False),
        sa.Column(
            "found_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.CheckConstraint(ALIGNED, name=op.f("ck_candle_gaps_open_time_aligned")),
        sa.CheckConstraint("reason IN ('none_at_venue')", name=op.f("ck_candle_gaps_reason")),
        sa.CheckConstraint(TIMEFRAMES, name=op.f("ck_candle_gaps_timeframe")),
        sa.PrimaryKeyConstraint("symbol", "timeframe", "open_time", name=op.f("pk_candle_gaps")),
    )
    op.create_table(
        "candles",
        sa.Column("symbol", sa.String(length=32), nullable=False),
        sa.Column("timeframe", sa.String(length=4), nullable=False),
        sa.Column("open_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("open", sa.Numeric(precision=38, scale=18), nullable=False),
        sa.Column("high", sa.Numeric(precision=38, scale=18), nullable=False),
        sa.Column("low", sa.Numeric(precision=38, scale=18), nullable=False),
        sa.Column("close", sa.Numeric(precision=38, scale=18), nullable=False),
        sa.Column("volume", sa.Numeric(precision=38, scale=18), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.CheckConstraint(
            "low <= open AND low <= close AND open <= high AND close <= high",
            name=op.f("ck_candles_between"),
        ),
        sa.CheckConstraint("high > 0 AND high < 1e20", name=op.f("ck_candles_high_range")),
        sa.CheckConstraint("low > 0 AND low < 1e20", name=op.f("ck_candles_low_range")),
        sa.CheckConstraint(ALIGNED, name=op.f("ck_candles_open_time_aligned")),
        sa.CheckConstraint(TIMEFRAMES, name=op.f("ck_candles_timeframe")),
        sa.CheckConstraint("volume >= 0 AND volume < 1e20", name=op.f("ck_candles_volume_range")),
        sa.PrimaryKeyConstraint("symbol", "timeframe", "open_time", name=op.f("pk_candles")),
    )


def downgrade() -> None:
    op.drop_table("candles")
    op.drop_table("candle_gaps")
