"""Proves with itchfeed that an exported day is ITCH 5.0 and leads to our books.

itch_file.py PROGRAM VENUE...

itchfeed parses every exported file to its last byte, knows every message, and writes each back as
the same bytes. A book made of dictionaries, built from what itchfeed read, has the orders of
`uncross replay --book`: price, quantity, reference, and order of priority.
"""

import collections
import io
import pathlib
import sys
import tempfile

from itch.parser import MessageParser

from venue import check, judge, queue, run, same


class Books:
    """Live orders by reference, in the order in which they came."""

    def __init__(self):
        self.symbols = {}
        self.orders = {}

    def apply(self, message):
        kind = message.message_type
        if kind == b"R":
            self.symbols[message.stock_locate] = message.stock.decode().strip()
        elif kind in b"AF":
            reference = message.order_reference_number
            check(reference not in self.orders, f"order {reference} came twice")
            same("symbol", self.symbols[message.stock_locate], message.stock.decode().strip())
            side = message.buy_sell_indicator.decode()
            self.orders[reference] = [
                message.stock_locate, side, message.price, message.shares,
            ]  # fmt: skip
        elif kind in b"EC":
            self.reduce(message.order_reference_number, message.executed_shares)
        elif kind == b"X":
            self.reduce(message.order_reference_number, message.cancelled_shares)
        elif kind == b"D":
            self.take(message.order_reference_number)
        elif kind == b"U":
            locate, side, _, _ = self.take(message.order_reference_number)
            reference = message.new_order_reference_number
            check(reference not in self.orders, f"order {reference} came twice")
            self.orders[reference] = [locate, side, message.price, message.shares]

    def take(self, reference):
        check(reference in self.orders, f"order {reference} is not there")
        return self.orders.pop(reference)

    def reduce(self, reference, quantity):
        check(reference in self.orders, f"order {reference} is not there")
        order = self.orders[reference]
        order[3] -= quantity
        check(0 <= order[3], f"order {reference} has lost more than it had")
        if order[3] == 0:
            del self.orders[reference]

    def side(self, symbol, side):
        """Price, quantity and reference of the orders of a side, the next to trade first."""
        found = [
            (price, quantity, reference)
            for reference, (locate, its_side, price, quantity) in self.orders.items()
            if self.symbols[locate] == symbol and its_side == side
        ]
        # Sorting keeps the order of those at one price.
        return sorted(found, key=lambda order: -order[0] if side == "B" else order[0])


def read(path, summary):
    """Parses the file; returns its messages."""
    data = path.read_bytes()
    same("bytes", summary["bytes"], len(data))
    messages = list(MessageParser().parse_file(io.BytesIO(data)))
    same("messages", summary["items"], len(messages))
    again = io.BytesIO()
    for message in messages:
        body = message.to_bytes()
        again.write(len(body).to_bytes(2, "big") + body)
    check(again.getvalue() == data, "itchfeed writes other bytes than it read")
    return messages


def referee(venue):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "day.itch"
        summary = run("journal", "export", venue, "--itch", path)["files"][0]
        messages = read(path, summary)
    books = Books()
    for message in messages:
        books.apply(message)
    resting = 0
    for book in run("replay", venue, "--book")["books"]:
        symbol = book["symbol"]
        for side, rows in (("B", book["bids"]), ("S", book["asks"])):
            ours = queue(rows)
            same(f"{symbol} {side}", ours, books.side(symbol, side))
            resting += len(ours)
    same("orders on all books", resting, len(books.orders))
    check(0 < resting, "an empty book proves nothing")
    counts = collections.Counter(message.message_type.decode() for message in messages)
    counted = " ".join(f"{kind} {count}" for kind, count in sorted(counts.items()))
    print(f"itchfeed: {len(messages)} messages, {summary['bytes']} bytes, {resting} orders rest")
    print(f"  {counted}")


for each in sys.argv[2:]:
    judge(lambda: referee(each))
