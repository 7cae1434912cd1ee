"""`tillside cloud`: run the centre, and manage its stores, tills, programmes and members."""

import click

from till_cloud.cli.chain import flags, init, store, till
from till_cloud.cli.corrections import ops
from till_cloud.cli.jobs import jobs
from till_cloud.cli.keeping import privacy
from till_cloud.cli.lending import grant, voucher
from till_cloud.cli.members import ledger, member
from till_cloud.cli.policies import policy
from till_cloud.cli.programmes import programme
from till_cloud.cli.releases import queue, wave
from till_cloud.cli.reports import report
from till_cloud.cli.running import backup, run, verify
from till_cloud.cli.snapshots import snapshot
from till_cloud.cli.tills import tills
from till_cloud.cli.wallet import wallet


@click.group()
def cloud() -> None:
    """Run the chain's cloud; manage its stores, tills, programmes and members.

    Every command works while the cloud runs.
    """


_COMMANDS = (
    *(run, init, store, till, programme, member, ledger, ops, flags, grant, voucher, wallet, report),
    *(jobs, snapshot, verify, backup),
    tills,
    wave,
    queue,
    policy,
    privacy,
)
for command in _COMMANDS:
    cloud.add_command(command)
