"""Makes a failing plan short: leaves out what it fails without."""

from simulation.world import Failure, play


def shortest(failure: Failure) -> Failure:
    """The same kind of failure with as few steps as leaving out one after another gives."""
    best, size = failure, max(1, len(failure.plan) // 2)
    while size:
        start = 0
        while start < len(best.plan):
            shorter = best.plan[:start] + best.plan[start + size :]
            found, _digest = play(failure.seed, shorter)
            if found is not None and _kind(found) == _kind(failure):
                best = found
            else:
                start += size
        size //= 2
    return best


def told(failure: Failure) -> str:
    """What a person needs to play it again."""
    steps = "\n".join(f"  {step.number:3} {step.till} {step.what}" for step in failure.plan)
    return f"seed {failure.seed}: {failure.reason}\n{steps}\nAgain: make sim SEED={failure.seed}"


def _kind(failure: Failure) -> str:
    """The number of the invariant, or the error's name."""
    return failure.reason[:10]
