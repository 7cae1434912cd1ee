"""What the cloud does by itself as time goes by: points expire and awake, birthdays give, tier periods end.

Decision: docs/decisions/0013. Each job works in blocks, each a short transaction of the one writer, so that tills are
served meanwhile. A block may be lost, done again, or done after years: what is due is found in the ledger itself.
"""

from till_cloud.jobs.done import JobsDone
from till_cloud.jobs.running import Transact, run_jobs

__all__ = ["JobsDone", "Transact", "run_jobs"]
