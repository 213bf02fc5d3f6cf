"""The heap of due timers, against a model that is a plain dictionary."""

from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from shared.streams.timers import DueHeap
from tests.support.builders import NOON

ids = st.sampled_from(["a", "b", "c", "d"])
shards = st.sampled_from(["s1", "s2", "s3"])
moments = st.integers(0, 20).map(lambda minutes: NOON + timedelta(minutes=minutes))


class HeapMachine(RuleBasedStateMachine):
    """Does the same to a heap and to a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.heap = DueHeap()
        self.model: dict[str, tuple[datetime, str]] = {}

    @rule(timer=ids, due=moments, shard=shards)
    def put(self, timer: str, due: datetime, shard: str) -> None:
        """Set or move a timer."""
        self.heap.put(timer, due, shard)
        self.model[timer] = (due, shard)

    @rule(timer=ids)
    def drop(self, timer: str) -> None:
        """Drop a timer, there or not."""
        self.heap.drop(timer)
        self.model.pop(timer, None)

    @rule(kept=st.frozensets(shards))
    def keep_only(self, kept: frozenset[str]) -> None:
        """Forget other shards' timers."""
        self.heap.keep_only(kept)
        self.model = {timer: at for timer, at in self.model.items() if at[1] in kept}

    @rule(now=moments, most=st.integers(1, 3))
    def pop_due(self, now: datetime, most: int) -> None:
        """What is due comes out earliest first, at most so many, and only once."""
        due = sorted((at, timer, shard) for timer, (at, shard) in self.model.items() if at <= now)
        popped = self.heap.pop_due(now, most)
        assert popped == [(timer, shard) for _, timer, shard in due[:most]]
        for timer, _ in popped:
            del self.model[timer]

    @invariant()
    def agrees(self) -> None:
        """The heap holds as many, and knows the next."""
        assert len(self.heap) == len(self.model)
        assert self.heap.next_due() == min((at for at, _ in self.model.values()), default=None)


TestHeap = HeapMachine.TestCase
TestHeap.settings = settings(max_examples=200, stateful_step_count=40)
