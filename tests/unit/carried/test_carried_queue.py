"""A queue that a person carried: taken whole, once, from the till that signed it, and no worse for coming twice."""

import msgspec
import pytest

from till_cloud import enrolment
from till_cloud.carried import describe, take
from till_cloud.exceptions import AdminError
from till_cloud.store import meta, tills
from till_cloud.verify import verify
from till_sync import carried, keys, sealing
from till_sync.carried import CarriedWriter, Head, Stretch
from till_sync.wire import EnrolmentRequest
from unit.cloud.cloud_kit import NOON_MS
from unit.waves.waves_kit import quick_chain

PRIVATE = keys.new_key()


class Store:
    """One till without a line, with five sales of one member, and the centre."""

    def __init__(self, made, folder) -> None:
        self.chain, self.folder = made, folder
        self.till = made.till()
        made.member("m-1")
        for number in range(5):
            self.till.sale(f"s{number}", "m-1")
        self.write(lambda c: c.execute("UPDATE tills SET public_key = ?", (keys.public_of(PRIVATE),)))

    def write(self, work):
        return self.chain.centre.write(work).result()

    def carry(self, first: int = 1, last: int | None = None, *, key: str = "", private: str = PRIVATE, piece: int = 2):
        """What `queue carry-out` writes, in pieces of two."""
        till, last = self.till, last or len(self.till.ops)
        path = self.folder / f"{first}-{last}-{till.epoch}.tillside-queue"
        stretch = Stretch(epoch=till.epoch, first_seq=first, last_seq=last)
        head = Head(till=till.name, made_ms=NOON_MS, stretches=(stretch,), key=key or self.write(meta.seal_key))
        with path.open("wb") as file:
            writer = CarriedWriter(file, head)
            for at in range(first, last + 1, piece):
                writer.add(till.request(at, min(last, at + piece - 1), remaining=-1))
            writer.close(private)
        return path

    def take(self, path, **told):
        return take(self.chain.centre._writer, path, self.chain.wall(), **told)

    def enrol_anew(self) -> None:
        """The till's name goes to another machine, with a key of its own."""
        code = self.write(lambda c: enrolment.issue_code(c, self.till.name, NOON_MS))
        wish = EnrolmentRequest(code=code, salt="0" * 32, public_key=keys.public_of(keys.new_key()))
        assert not isinstance(self.write(lambda c: enrolment.redeem_code(c, wish, NOON_MS)), Exception)

    def balance(self) -> int:
        assert self.chain.centre.read(verify).holds
        return self.chain.balances("m-1")[0]


@pytest.fixture
def store(tmp_path):
    with quick_chain(tmp_path / "c.db") as made:
        yield Store(made, tmp_path)


def test_all_of_a_queue_is_applied(store):
    """In its order, and the centre says up to where it has this till's operations."""
    taken = store.take(store.carry())
    assert (taken.operations, taken.applied, taken.known, taken.acked) == (5, 5, 0, "1:5")
    assert store.balance() == 5_000


def test_taken_twice_it_counts_once(store):
    """Another file with the same and more is as good; the line knows them as duplicates when it is back."""
    store.take(store.carry())
    assert store.take(store.carry()).known == 5
    store.till.sale("s5", "m-1")
    taken = store.take(store.carry())
    assert (taken.known, taken.applied) == (5, 1)
    assert [result.status for result in store.till.push().results] == ["duplicate"] * 6
    assert store.balance() == 6_000


def test_half_by_the_line_and_half_by_the_stick(store):
    """Whichever was first, for each operation."""
    path = store.carry()
    store.till.push(1, 3)
    taken = store.take(path)
    assert (taken.known, taken.applied) == (3, 2)
    assert store.balance() == 5_000


def test_a_file_of_an_epoch_that_is_over_is_known_or_refused(store):
    """The journal was replaced after it was carried out, and the line came back."""
    path, half = store.carry(), store.carry(1, 3)
    store.till.push(1, 3)
    store.till.new_journal()
    store.till.sale("t0", "m-1")
    store.till.push()
    assert store.take(half).known == 3
    with pytest.raises(AdminError, match="stale_epoch"):
        store.take(path)
    assert store.balance() == 4_000


def test_one_that_does_not_follow_is_refused(store):
    """A stick was lost: the till still has what was on it, and carries it out again."""
    with pytest.raises(AdminError, match="seq_gap"):
        store.take(store.carry(3))
    assert store.take(store.carry()).applied == 5


def test_any_changed_byte_is_refused_before_the_first_operation(store):
    """Head, pieces and tail; nothing of the file counts then."""
    path = store.carry()
    whole = path.read_bytes()
    for at in (*range(0, 200, 20), *range(200, len(whole), 97), len(whole) - 10):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(AdminError):
            store.take(path)
    assert store.balance() == 0


def test_any_cut_or_longer_file_is_refused(store):
    """A stick that was pulled out too early."""
    path = store.carry()
    whole = path.read_bytes()
    for data in (b"", whole[:10], *(whole[:at] for at in range(100, len(whole), 211)), whole + b"x"):
        path.write_bytes(data)
        with pytest.raises(AdminError):
            store.take(path)
    assert store.balance() == 0


def test_a_file_that_somebody_else_made_is_refused(store):
    """Who has the cloud's public key can seal, and not sign."""
    with pytest.raises(AdminError, match="carried_signature"):
        store.take(store.carry(private=keys.new_key()))


def test_a_file_of_another_cloud_is_refused(store):
    """Its key opens nothing here."""
    other = sealing.public_key_of(sealing.new_private_key())
    with pytest.raises(AdminError, match="carried_key"):
        store.take(store.carry(key=other))


def test_a_file_from_before_the_clouds_key_was_changed_is_taken(store):
    """The cloud keeps its former keys."""
    path = store.carry()
    store.write(lambda c: meta.set_seal_keys(c, (sealing.new_private_key(), *meta.seal_keys(c))))
    assert store.take(path).applied == 5


@pytest.mark.parametrize("state", ["unknown", "no_key", "quarantine"])
def test_a_till_that_may_not_push_may_not_be_carried(store, state):
    """The same doors as the line has."""
    path = store.carry()
    if state == "unknown":
        path.write_bytes(path.read_bytes().replace(b'"till":"k1"', b'"till":"k9"', 1))
    elif state == "no_key":
        store.write(lambda c: tills.forget_key(c, "k1"))
    else:
        store.write(lambda c: tills.quarantine(c, "k1", "two_machines", 1))
    with pytest.raises(AdminError):
        store.take(path)
    assert store.balance() == 0


def test_nothing_of_a_receipt_can_be_read_on_the_stick(store):
    """Neither a member nor a figure; the head says which till and how many."""
    data = store.carry().read_bytes()
    for word in (b'"m-1"', b'"sku1"', b"payable", b'"s0"'):  # two letters are in random bytes now and then
        assert word not in data.replace(b'"stretches"', b"")[150:]
    assert msgspec.json.decode(data.splitlines()[0])["till"] == "k1"
    assert carried.read_head(store.carry()).count == 5


def test_a_queue_of_a_replaced_machine_is_taken_by_its_former_key(store):
    """Not by itself: the key may have been changed because somebody has it. Who vouches for it says so, and the answer
    is marked; other keys count no more than before."""
    path = store.carry()
    store.enrol_anew()
    with pytest.raises(AdminError, match=r"enrolled anew since.*--former-key"):
        store.take(path)
    assert store.balance() == 0
    taken = store.take(path, former_key=True)
    assert (taken.applied, taken.by_former_key) == (5, True)
    assert "before it was enrolled anew" in describe(taken)
    assert store.balance() == 5_000
    with pytest.raises(AdminError, match="altered, cut, or is another till's"):
        store.take(store.carry(private=keys.new_key()), former_key=True)


def test_a_queue_of_a_replaced_machine_comes_too_late(store):
    """The new machine has sold: what was carried can't go before that any more, and the message says what to do."""
    path = store.carry()
    store.enrol_anew()
    store.till.new_journal()
    store.till.sale("t0", "m-1")
    store.till.push()
    with pytest.raises(AdminError, match=r"stale_epoch.*sell their receipts again"):
        store.take(path, former_key=True)
    assert store.balance() == 1_000
