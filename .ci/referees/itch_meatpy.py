"""Proves with meatpy that its own order books, fed with an exported day, come to ours.

itch_meatpy.py PROGRAM VENUE...

meatpy reads the file, keeps the book of each instrument with its own rules (it notes an execution
out of priority and refuses a reduction of what is not there), and ends with the queues of
`uncross replay --book`.
"""

import datetime
import pathlib
import sys
import tempfile

from meatpy.itch50 import ITCH50MarketProcessor, ITCH50MessageReader

from venue import check, judge, queue, run, same, theirs


def feed(venue, symbols):
    """The processors of the instruments after the whole day, and how many messages it had."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "day.itch"
        exported = run("journal", "export", venue, "--itch", path)
        day = datetime.datetime.fromisoformat(exported["date"])
        processors = {symbol: ITCH50MarketProcessor(symbol, day) for symbol in symbols}
        count = 0
        for message in ITCH50MessageReader().read_file(path):
            for processor in processors.values():
                processor.process_message(message)
            count += 1
    same("messages", exported["files"][0]["items"], count)
    return processors, count


def referee(venue):
    books = {book["symbol"]: book for book in run("replay", venue, "--book")["books"]}
    books = {symbol: it for symbol, it in books.items() if queue(it["bids"] + it["asks"])}
    check(books, "empty books prove nothing")
    processors, count = feed(venue, books)
    for symbol, book in books.items():
        lob = processors[symbol].current_lob
        same(f"{symbol}: executions out of priority", [], lob.execution_errors_buffer)
        same(f"{symbol}: bids", queue(book["bids"]), theirs(lob.bid_levels))
        same(f"{symbol}: asks", queue(book["asks"]), theirs(lob.ask_levels))
    print(f"meatpy: {count} messages; the books of {' '.join(books)} are ours")


for each in sys.argv[2:]:
    judge(lambda: referee(each))
