"""Proves with nasdaq-protocols, Nasdaq's own client in Python, that our sessions are SoupBinTCP.

soup_nasdaq.py PROGRAM [FOLDER]

Two users of it log in, trade with each other and read the feed. One is cut off in the middle, and
gets exactly the missing messages when it resumes by number. Heartbeats keep idle sessions alive in
both directions. Logins that must fail do. What it received is what `journal export` writes.
With FOLDER the venue is kept there, for those who read its feed.
"""

import asyncio
import logging
import sys

from nasdaq_protocols import soup

from venue import PASSWORD, QUERY, Venue
from venue import cancel, check, enter, executed, judge, kinds, replace, same

PATIENCE_S = 20
# Silence after which the client gives the venue up: a machine may stand still for some seconds.
CLIENT_TIMEOUT_S = 12
# Longer than the 15 s after which the venue gives a silent client up, so that only heartbeats can
# have kept the session.
IDLE_S = 17


class Session:
    """A client session that keeps all it receives."""

    def __init__(self, client, received):
        self.client, self.received = client, received

    @classmethod
    async def login(cls, address, user, name="", sequence=1, password=PASSWORD):
        """Logs in; `name` and `password` are sent as they are."""
        received = []
        client = await soup.connect_async(
            address, user, password, name, sequence,
            client_heartbeat_interval=1, server_heartbeat_interval=CLIENT_TIMEOUT_S,
        )  # fmt: skip
        return cls(client, received)

    async def more(self, count):
        """The next messages."""
        messages = []
        for _ in range(count):
            message = await asyncio.wait_for(self.client.receive_msg(), PATIENCE_S)
            check(isinstance(message, soup.SequencedData), f"not a message: {message}")
            messages.append(message.data)
        self.received += messages
        return messages

    async def ask(self, *requests):
        """Sends OUCH messages; returns all that is answered, up to an Account Query behind them."""
        for request in (*requests, QUERY):
            self.client.send_unseq_data(request)
        messages = await self.more(1)
        while messages[-1][:1] != b"Q":
            messages += await self.more(1)
        return messages[:-1]

    def name(self):
        return self.client.session_id.session

    def next_number(self):
        return 1 + len(self.received)

    async def cut(self):
        """Drops the connection without a word."""
        self.client._transport.abort()
        await self.client.close()

    async def log_out(self):
        self.client.logout()
        await asyncio.wait_for(closed(self.client), PATIENCE_S)


async def closed(client):
    while not client.is_closed():
        await asyncio.sleep(0.01)


async def refused(reason, *arguments, **named):
    """A login that must be refused for this reason."""
    try:
        await Session.login(*arguments, **named)
    except ConnectionRefusedError as error:
        check(reason in str(error), f"refused, but not with {reason}: {error}")
    else:
        check(False, f"accepted, but {reason} was due: {arguments} {named}")


async def trade(alice, bob):
    """Orders of both; whose executions must be the same trades."""
    same("start of day", "S", kinds(await alice.more(1)))
    same("start of day", "S", kinds(await bob.more(1)))
    answers = await alice.ask(
        enter(1, b"B", 100, 10_0000),
        enter(2, b"B", 100, 10_0000),
        enter(3, b"B", 100, 9_9900),
        replace(3, 4, 100, 9_9800),
        cancel(2, 60),
        enter(4, b"B", 100, 9_9900),
        enter(5, b"B", 0, 9_9900),
    )
    same("answers, without one to a number that was used", "AAAUCJ", kinds(answers))
    mine = await bob.ask(enter(1, b"S", 150, 9_9900))
    same("answers to the taker", "AEE", kinds(mine))
    others = await alice.ask()
    same("answers to the maker", "EE", kinds(others))
    pairs = list(zip(map(executed, mine[1:]), map(executed, others)))
    for taker, maker in pairs:
        same("quantity, price and match number", maker[:2] + maker[3:], taker[:2] + taker[3:])
        same("liquidity", (b"A", b"R"), (maker[2], taker[2]))
    same("quantities", [100, 50], [taker[0] for taker, _ in pairs])


async def hide(alice, bob):
    """Orders of which the public sees nothing, or more than usual."""
    answers = await alice.ask(
        enter(6, b"B", 100, 10_0100, display=b"N"),
        enter(7, b"B", 100, 9_9000, display=b"N"),
        enter(8, b"B", 100, 9_9700, display=b"A"),
        enter(9, b"B", 100, 9_9700),
        cancel(9, 0),
    )
    same("answers", "AAAAC", kinds(answers))
    same("answers to the taker", "AE", kinds(await bob.ask(enter(2, b"S", 100, 10_0100))))
    hidden = [executed(message) for message in await alice.ask()]
    same("liquidity of a hidden order", [b"J"], [liquidity for _, _, liquidity, _ in hidden])


async def resume(venue, alice, bob):
    """Cuts ALICE off while BOB trades with her."""
    await alice.cut()
    same("answers", "AEE", kinds(await bob.ask(enter(3, b"S", 50, 9_9800))))
    back = await Session.login(venue.orders, "ALICE", alice.name(), alice.next_number())
    same("next number", alice.next_number(), back.client.sequence + 1)
    missed = await back.more(2)
    same("missed", [10, 40], [executed(message)[0] for message in missed])
    same("missed besides", [], await back.ask())
    alice.received += back.received
    await back.log_out()

    # Fields padded with NULs, and everything again from the first message on.
    name, number, password = (text + "\0" for text in (alice.name(), "1", PASSWORD))
    again = await Session.login(venue.orders, "ALICE", name, number, password)
    same("all messages again", alice.received, await again.more(len(alice.received)))
    await again.log_out()


async def idle(*sessions):
    """Nobody says anything but heartbeats, for longer than either side would wait without."""
    await asyncio.sleep(IDLE_S)
    for session in sessions:
        check(not session.client.is_closed(), "an idle session was closed")
    await sessions[0].ask()


async def refusals(venue, alice):
    # The client logs each refusal as an error.
    logging.disable(logging.ERROR)
    beyond = alice.next_number() + 1
    await refused("NOT_AUTHORIZED", venue.orders, "ALICE", password="wrong")
    await refused("NOT_AUTHORIZED", venue.orders, "NOBODY")
    await refused("SESSION_NOT_AVAILABLE", venue.orders, "ALICE", "1901010000")
    await refused("SESSION_NOT_AVAILABLE", venue.orders, "ALICE", alice.name(), beyond)
    await refused("SESSION_NOT_AVAILABLE", venue.data, "ALICE", alice.name(), 1_000_000)


async def referee():
    with Venue(keep=next(iter(sys.argv[2:]), None)) as venue:
        alice = await Session.login(venue.orders, "ALICE")
        bob = await Session.login(venue.orders, "BOB")
        feed = await Session.login(venue.data, "CAROL")
        await trade(alice, bob)
        await hide(alice, bob)
        await resume(venue, alice, bob)
        await idle(bob, feed)
        await refusals(venue, alice)
        exported = venue.export("--itch")
        same("the feed and the exported file", exported, await feed.more(len(exported)))
        for user, session in (("ALICE", alice), ("BOB", bob)):
            same(f"reports to {user}", venue.export("--reports", user), session.received)
        same("kinds of messages on the feed", set("SRHAFEPXDU"), set(kinds(feed.received)))
        await bob.log_out()
        await feed.log_out()
    counts = [len(session.received) for session in (alice, bob, feed)]
    print("nasdaq-protocols: received {} and {} reports, {} of the feed".format(*counts))


judge(lambda: asyncio.run(referee()))
