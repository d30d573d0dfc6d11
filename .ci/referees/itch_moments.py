"""Proves with meatpy that `uncross journal book --at` shows what the public saw at that moment.

itch_moments.py PROGRAM VENUE...

The day's feed is played to meatpy message by message. At 50 moments drawn at random, each the time
of some message, its books must be those that the journal tells of the same nanosecond, order by
order. The seed is printed; SEED in the environment repeats a draw.
"""

import datetime
import os
import pathlib
import random
import sys
import tempfile

from meatpy.itch50 import ITCH50MarketProcessor, ITCH50MessageReader

from venue import check, judge, queue, run, same, theirs

MOMENTS = 50
SEED = int(os.environ.get("SEED", random.randrange(1 << 32)))


def utc(date, since_midnight_ns):
    """A moment of a day as the program takes it; the referees' venues keep universal time."""
    second, nanosecond = divmod(since_midnight_ns, 1_000_000_000)
    at = datetime.datetime.fromisoformat(date) + datetime.timedelta(seconds=second)
    return f"{at.isoformat()}.{nanosecond:09}Z"


def compare(venue, moment, symbols, processors):
    """Compares all books at a moment; returns how many orders they hold."""
    orders = 0
    for symbol in symbols:
        book = run("journal", "book", venue, symbol, "--at", moment)
        lob = processors[symbol].current_lob
        for side in ("bids", "asks"):
            ours = queue(book[side])
            levels = getattr(lob, side.removesuffix("s") + "_levels") if lob else []
            same(f"{symbol} {side} at {moment}", ours, theirs(levels))
            orders += len(ours)
    return orders


def referee(venue):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "day.itch"
        exported = run("journal", "export", venue, "--itch", path)
        messages = list(ITCH50MessageReader().read_file(path))
    symbols = [book["symbol"] for book in run("replay", venue, "--book")["books"]]
    day = datetime.datetime.fromisoformat(exported["date"])
    processors = {symbol: ITCH50MarketProcessor(symbol, day) for symbol in symbols}
    draw = random.Random(SEED)
    times = sorted(message.timestamp for message in draw.choices(messages, k=MOMENTS))
    rest, orders = iter(messages), 0
    message = next(rest)
    for time in times:
        while message is not None and message.timestamp <= time:
            for processor in processors.values():
                processor.process_message(message)
            message = next(rest, None)
        orders += compare(venue, utc(exported["date"], time), symbols, processors)
    check(0 < orders, "empty books prove nothing")
    print(f"meatpy: the books of {' '.join(symbols)} are ours at {MOMENTS} moments, seed {SEED}")


for each in sys.argv[2:]:
    judge(lambda: referee(each))
