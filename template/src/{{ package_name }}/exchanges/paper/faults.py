"""Faults that happen: those of PAPER_FAULTS, and those that somebody has scripted."""

from typing import Final

from sqlalchemy import bindparam, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from ...core.database.transactions import Prepared, execute_single
from .fault_plan import FaultPlan, Kind, Op, is_hit
from .tables import faults, requests

_NEXT = (
    select(faults.c.id)
    .where(
        faults.c.op.in_([bindparam("verb"), Op.ANY.value]),
        or_(
            faults.c.client_id.is_(None),
            faults.c.client_id.in_([bindparam("client"), bindparam("own_name")]),
        ),
        faults.c.times > 0,
    )
    .order_by(faults.c.id)
    .limit(1)
    .with_for_update()
)
_TAKE: Final = Prepared(
    update(faults)
    .where(faults.c.id == _NEXT.scalar_subquery())
    .values(times=faults.c.times - 1)
    .returning(faults.c.kind)
)
_FIRST = insert(requests).values(op=bindparam("verb"), client_id=bindparam("client"), calls=1)
_COUNT: Final = Prepared(
    _FIRST.on_conflict_do_update(
        index_elements=["op", "client_id"], set_={"calls": requests.c.calls + 1}
    ).returning(requests.c.calls)
)
_SCRIPT: Final = insert(faults).values(
    op=bindparam("verb"),
    kind=bindparam("what"),
    client_id=bindparam("client"),
    times=bindparam("n"),
)


class Faults:
    """Tells what goes wrong with a call.

    What is taken and counted is committed at once: a restart does not bring the same fault back.
    """

    def __init__(
        self, sessions: async_sessionmaker[AsyncSession], plan: FaultPlan, seed: str
    ) -> None:
        self.plan = plan
        self._sessions = sessions
        self._seed = seed

    async def of_call(self, op: Op, client_id: str, own_name: str | None = None) -> list[Kind]:
        """Return what goes wrong with this call of the verb; it counts as one.

        A scripted fault is of the order's name at the venue, or of its owner's own name for it.
        """
        named = {"verb": op.value, "client": client_id}
        either = named | {"own_name": own_name or client_id}
        scripted = await execute_single(self._sessions, _TAKE, either)
        kinds = [Kind(row.kind) for row in scripted]
        if planned := self.plan.kinds_for(op):
            [row] = await execute_single(self._sessions, _COUNT, named)
            kinds += [
                kind
                for kind, share in planned
                if is_hit(self._seed, op, kind, client_id, row.calls, share)
            ]
        return kinds

    async def script(self, op: Op, kind: Kind, times: int, client_id: str | None) -> None:
        """Have the next `times` calls of the verb fail, those of one id or any."""
        values = {"verb": op.value, "what": kind.value, "client": client_id, "n": times}
        await execute_single(self._sessions, _SCRIPT, values)
