"""Proves with meatpy that its own order book, fed with an exported day, comes to ours.

itch_meatpy.py PROGRAM VENUE SYMBOL

meatpy reads the file, keeps the book of one instrument with its own rules (it notes an execution
out of priority and refuses a reduction of what is not there), and ends with the queues of
`uncross replay --book`.
"""

import datetime
import pathlib
import sys
import tempfile

from meatpy.itch50 import ITCH50MarketProcessor, ITCH50MessageReader

from venue import check, judge, queue, run, same


def theirs(levels):
    return [
        (level.price, order.volume, order.order_id) for level in levels for order in level.queue
    ]


def referee(venue, symbol):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "day.itch"
        exported = run("journal", "export", venue, "--itch", path)
        day = datetime.datetime.fromisoformat(exported["date"])
        processor = ITCH50MarketProcessor(symbol, day)
        count = 0
        for message in ITCH50MessageReader().read_file(path):
            processor.process_message(message)
            count += 1
    same("messages", exported["files"][0]["items"], count)
    book = next(it for it in run("replay", venue, "--book")["books"] if it["symbol"] == symbol)
    check(book["bids"] or book["asks"], "an empty book proves nothing")
    same("executions out of priority", [], processor.current_lob.execution_errors_buffer)
    same("bids", queue(book["bids"]), theirs(processor.current_lob.bid_levels))
    same("asks", queue(book["asks"]), theirs(processor.current_lob.ask_levels))
    bids, asks = len(book["bids"]), len(book["asks"])
    print(f"meatpy: {count} messages, {bids} bids and {asks} asks of {symbol} rest")


judge(lambda: referee(*sys.argv[2:]))
