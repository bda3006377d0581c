"""Two people whose connections break at any byte, and are opened again in time, or too late.

They say things to each other alone and to many, whole and in pieces, also while there is no
connection. Whatever happens, each message is delivered once, whole and in the order in which its
sender said it, or the sender is told.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sylk.msrp.session_table import SessionState
from tests.msrp.lasting_pair import EVERYTHING, RECONNECT, Pair, Person

WORDS = st.one_of(
    st.binary(max_size=120),
    st.lists(st.sampled_from([b"\r\n", b"-------", b"$\r\n", b"MSRP ", b"y" * 50])).map(b"".join),
)
END = st.integers(0, 1)


class ReopeningDialogue(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.pair = Pair()
        self.count = 0
        self.waited = 0.0

    def talker(self, end: int) -> Person | None:
        self.pair.now += 0.001
        person = self.pair.people[end]
        return person if person.may_talk else None

    def body(self, words: bytes, *, refuse: bool = False) -> bytes:
        self.count += 1
        return (b"refuse %d " if refuse else b"take %d ") % self.count + words

    @rule(end=END, size=st.integers(1, 400))
    def carry(self, end: int, size: int) -> None:
        self.pair.carry(end, size)

    @rule(end=END, size=st.integers(1, 400))
    def write_out(self, end: int, size: int) -> None:
        self.pair.write_out(end, size)

    @rule()
    def carry_all(self) -> None:
        self.pair.carry_all()

    @rule(end=END, words=WORDS, refuse=st.booleans(), quiet=st.booleans())
    def say(self, end: int, words: bytes, refuse: bool, quiet: bool) -> None:
        if (person := self.talker(end)) is not None:
            body = self.body(words, refuse=refuse)
            person.say(body, self.pair.now, b"partial" if quiet else b"yes")

    @rule(end=END, many=st.lists(WORDS, min_size=1, max_size=3))
    def say_to_many(self, end: int, many: list[bytes]) -> None:
        if (person := self.talker(end)) is not None:
            person.say_to_many([self.body(words) for words in many], self.pair.now)

    @rule(end=END)
    def begin(self, end: int) -> None:
        person = self.talker(end)
        if person is not None and person.state is SessionState.BOUND and not person.open:
            person.begin(self.pair.now)

    @rule(end=END, words=WORDS, ends=st.booleans())
    def go_on(self, end: int, words: bytes, ends: bool) -> None:
        person = self.talker(end)
        if person is not None and person.open:
            person.go_on(next(iter(person.open)), words + b"z", self.pair.now, ends=ends)

    @rule(end=END, is_slow=st.booleans())
    def decide(self, end: int, is_slow: bool) -> None:
        person = self.pair.people[end]
        person.is_slow = is_slow
        if not is_slow:
            person.decide()
            person.settle()

    @rule(noticed_by=st.sampled_from([(0, 1), (0, 1), (0,), (1,), ()]))
    def break_off(self, noticed_by: tuple[int, ...]) -> None:
        self.pair.break_off(noticed_by=noticed_by)

    @rule(end=END)
    def notice(self, end: int) -> None:
        self.pair.notice(end)

    @precondition(lambda self: self.pair.alice.state is SessionState.DETACHED)
    @rule()
    def connect(self) -> None:
        self.pair.connect()

    @rule(seconds=st.sampled_from([0.1, 1.0, 6.0, RECONNECT + 1]))
    def wait(self, seconds: float) -> None:
        if seconds > 1:
            # What a connection that stands does not carry in seconds, it never does.
            self.pair.carry_all()
        self.waited += seconds
        if self.waited > 29:
            # Who has not noticed it in 30 s takes silence for success, as is agreed with `partial`.
            self.waited = seconds
            for end in (0, 1):
                self.pair.notice(end)
        self.pair.wait(seconds)

    @invariant()
    def nothing_is_doubled_cut_or_reordered(self) -> None:
        alice, bob = self.pair.people
        for here, there in ((alice, bob), (bob, alice)):
            for message_id, body in there.delivered.items():
                assert body == here.said[message_id], "not whole"
            whole = [one for one in there.heard if one not in here.in_pieces]
            assert whole == [one for one in here.said if one in whole], "out of order"
            assert not here.failed & set(here.accepted)

    def teardown(self) -> None:
        for end in (0, 1):
            self.decide(end, False)
            self.pair.notice(end)
        # A 506 may be on its way to Alice.
        self.pair.carry_all()
        if self.pair.alice.state is SessionState.DETACHED:
            self.pair.reopen()
        if any(person.closed for person in self.pair.people):
            for person in self.pair.people:
                person.session.close("over")
                person.settle()
        self.nothing_is_doubled_cut_or_reordered()
        alice, bob = self.pair.people
        for here, there in ((alice, bob), (bob, alice)):
            lost = set(here.said) - set(there.delivered) - set(here.open)
            assert lost <= here.failed | there.refused, "nobody was told"
            assert not there.coming or here.open
            assert here.closed <= 1


ReopeningDialogue.TestCase.settings = settings(
    max_examples=80, stateful_step_count=40, deadline=None
)
TestReopeningDialogue = ReopeningDialogue.TestCase


def test_the_connection_may_break_at_any_byte() -> None:
    """Cut each way off after each number of bytes: all is delivered once, in order, and known."""
    for end in (0, 1):
        for cut in range(0, 1500, 7):
            pair = Pair()
            speaker, hearer = pair.people[end], pair.people[1 - end]
            ids = [speaker.say(b"take %d" % number, pair.now) for number in range(3)]
            speaker.say_to_many([b"take a", b"take b"], pair.now + 1)
            ids.append(speaker.say(b"refuse it", pair.now + 2))
            pair.write_out(end, EVERYTHING)
            pair.carry(end, cut)
            pair.carry(1 - end, cut)
            pair.break_off()
            pair.now += 3
            pair.reopen()
            assert list(hearer.delivered) == [one for one in speaker.said if one != ids[-1]]
            assert speaker.accepted == ids[:-1]
            assert speaker.failed == {ids[-1]} == hearer.refused
            assert speaker.rebound == hearer.rebound == 1
