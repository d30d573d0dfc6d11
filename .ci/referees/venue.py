"""What the referees share: running the program and a venue of it, and OUCH messages as bytes."""

import json
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import sys
import tempfile

USERS = ("ALICE", "BOB", "CAROL")
PASSWORD = "secret"


class Wrong(Exception):
    """What a referee says against us."""


def judge(referee):
    """Runs a referee; ends the process with what is wrong."""
    try:
        referee()
    except Wrong as wrong:
        sys.exit(f"{pathlib.Path(sys.argv[0]).name}: {wrong}")


def check(is_right, text):
    """Ends the referee with what is wrong."""
    if not is_right:
        raise Wrong(text)


def same(what, expected, found):
    """Ends the referee when two values differ."""
    check(expected == found, f"{what}: expected {expected!r}, found {found!r}")


def program():
    """Path of the program, which the first argument names."""
    return os.path.abspath(sys.argv[1])


def run(*arguments):
    """Runs the program with --json; returns the object it printed."""
    command = [program(), *map(str, arguments), "--json"]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


class Venue:
    """A venue in a temporary folder, running while the block does; `keep` is where it then goes."""

    def __init__(self, *settings, keep=None):
        self.settings, self.keep = settings, keep
        self.folder = tempfile.TemporaryDirectory(prefix="uncross-referee-")
        self.path = pathlib.Path(self.folder.name) / "venue"

    def __enter__(self):
        run("init", self.path)
        password = self.path.parent / "password.txt"
        password.write_text(PASSWORD)
        for user in USERS:
            run("user", "add", user, "--venue", self.path, "--password-file", password)
        command = [program(), "start", str(self.path), "--json", "--set", "core.pin=false"]
        for door in ("--orders", "--data", "--admin"):
            command += [door, "127.0.0.1:0"]
        for setting in self.settings:
            command += ["--set", setting]
        log = open(self.path.parent / "log.jsonl", "wb")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)
        started = json.loads(self.process.stdout.readline())
        self.orders, self.data = (address(started[door]) for door in ("orders", "data"))
        return self

    def __exit__(self, *error):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=20)
        if error[0] is not None:
            sys.stderr.write((self.path.parent / "log.jsonl").read_text())
        if self.keep is not None:
            shutil.move(self.path, self.keep)
        self.folder.cleanup()
        if error[0] is None:
            same("exit code of the venue", 0, code)

    def export(self, *what):
        """The exported file as a list of messages; `what` is how the file is asked for."""
        path = self.path.parent / "exported"
        run("journal", "export", self.path, *what, path, "--force")
        return split(path.read_bytes())


def address(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


def split(data):
    """The messages of a file in which each stands behind its length."""
    messages, at = [], 0
    while at < len(data):
        (length,) = struct.unpack_from("!H", data, at)
        message = data[at + 2 : at + 2 + length]
        same("bytes of the last message", length, len(message))
        messages.append(message)
        at += 2 + length
    return messages


def queue(rows):
    """Price, quantity and reference of a side of `replay --book`, as far as the public sees it."""
    # A decimal without its point is the integer that is on the wire.
    return [
        (
            int(row["price"].replace(".", "")),
            int(row["quantity"].replace(".", "")),
            int(row["order_reference"]),
        )
        for row in rows
        if row["display"] != "N"
    ]


def theirs(levels):
    """The same of a side of a book of meatpy's."""
    return [
        (level.price, order.volume, order.order_id) for level in levels for order in level.queue
    ]


# OUCH 5.0, from the published layouts.


def enter(number, side, quantity, price, symbol=b"DEMO", display=b"Y"):
    """Enter Order: a day order; the price in units of a hundredth of a cent."""
    return struct.pack(
        "!cIcI8sQccccc14sH", b"O", number, side, quantity, symbol.ljust(8), price,
        b"0", display, b"A", b"N", b"N", b"REFEREE".ljust(14), 0,
    )  # fmt: skip


def cancel(number, quantity):
    """Cancel Order down to `quantity`."""
    return struct.pack("!cII", b"X", number, quantity)


def replace(number, new_number, quantity, price):
    """Replace Order."""
    return struct.pack(
        "!cIIIQccc14sH", b"U", number, new_number, quantity, price,
        b"0", b"Y", b"N", b"REFEREE".ljust(14), 0,
    )  # fmt: skip


QUERY = b"Q"


def executed(message):
    """Quantity, price, liquidity and match number of an Executed, `None` of anything else."""
    if message[:1] != b"E":
        return None
    _, _, _, quantity, price, liquidity, match, _ = struct.unpack("!cQIIQcQH", message)
    return quantity, price, liquidity, match


def kinds(messages):
    """The type bytes of messages."""
    return b"".join(message[:1] for message in messages).decode()
