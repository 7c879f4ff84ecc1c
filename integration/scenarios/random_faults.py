"""Random faults under load, a short run of `integration/faults`."""

from __future__ import annotations

import faults
from checks import Checks
from scenarios import Context, scenario
from storm import Kill, LostState, Pause

KINDS = [Kill, LostState]


@scenario("topics", "transactions", "fencing", "static-members")
def random_faults(context: Context) -> None:
    """Faults in an order that nobody thought of would lose an outcome, tell it twice, or leave a wrong state behind."""
    if "takeover" in context.broker.capabilities:
        plan = faults.Plan(10_000, 400, (1, 3, 2), True, [*KINDS, Pause], (2, 4), 6)
    else:
        # One fault: on a broker without "aborts" the start after another cannot read on behind what the first one left.
        plan = faults.Plan(1_500, 75, (1,), True, KINDS, (13, 15), 4, seconds_after=4)
    checks = Checks()
    for verdict in faults.run(context, plan, lambda text: None)[1]:
        checks.extend(verdict.problems)
    checks.done()
