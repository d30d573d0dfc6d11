"""Proves with tshark that what is on the wire of both ports is SoupBinTCP, packet by packet.

capture.py PROGRAM [recorded]

A session with every kind of packet is captured on the loopback device: logins accepted and refused,
orders, executions, a resumption, heartbeats and debug packets, a logout, the end of the session.
tshark must find no malformed packet, and in each direction of each connection the same packets with
the same payloads as the clients sent and received.

Where capturing is not permitted, or with `recorded`, the clients write down what they sent and
received as TCP segments, and tshark reads those.
"""

import collections
import datetime
import os
import select
import socket
import struct
import subprocess
import sys
import time

from venue import PASSWORD, QUERY, Venue, check, enter, judge, same

PATIENCE_S = 20
# Until the day ends: long enough for the trades before, and for a heartbeat of the venue.
DAY_S = 15
HEADER = struct.Struct("!HB")


class Client:
    """A connection that notes every packet in both directions."""

    def __init__(self, address, segments):
        self.socket = socket.create_connection(address, timeout=PATIENCE_S)
        self.ports = self.socket.getsockname()[1], address[1]
        self.segments = segments
        self.sent, self.received, self.buffer = [], [], b""
        self.is_open = True

    def send(self, kind, payload=b""):
        packet = HEADER.pack(len(payload) + 1, ord(kind)) + payload
        self.socket.sendall(packet)
        self.segments.append((self.ports, packet))
        self.sent.append((kind, payload))

    def login(self, user, session="", sequence=1, password=PASSWORD):
        fields = user.ljust(6), password.ljust(10), session.rjust(10), str(sequence).rjust(20)
        self.send("L", "".join(fields).encode())
        return self.until(lambda: self.received)[0]

    def read(self):
        """Takes in what has come, waiting for it if need be."""
        data = self.socket.recv(65_536)
        if not data:
            self.is_open = False
            return
        self.segments.append((self.ports[::-1], data))
        self.buffer += data
        while 2 <= len(self.buffer):
            end = 2 + int.from_bytes(self.buffer[:2], "big")
            if len(self.buffer) < end:
                break
            self.received.append((chr(self.buffer[2]), self.buffer[3:end]))
            self.buffer = self.buffer[end:]

    def until(self, is_enough):
        while not is_enough():
            check(self.is_open, f"closed after {self.received}")
            self.read()
        return self.received

    def until_closed(self):
        while self.is_open:
            self.read()
        same("bytes behind the last packet", b"", self.buffer)
        self.socket.close()

    def messages(self):
        return [payload for kind, payload in self.received if kind == "S"]

    def count(self, count):
        return self.until(lambda: count <= len(self.messages()))


def talk(venue, connect):
    """The session that is captured."""
    alice, bob, feed = connect(venue.orders), connect(venue.orders), connect(venue.data)
    for client, user in ((alice, "ALICE"), (bob, "BOB"), (feed, "CAROL")):
        same(f"login of {user}", "A", client.login(user)[0])
    session = alice.received[0][1][:10].decode().strip()
    for number in range(1, 101):
        alice.send("U", enter(number, b"B", 100, 10_0000 - number * 100))
    alice.count(101)
    for number in range(1, 51):
        bob.send("U", enter(number, b"S", 150, 9_0000))
    bob.send("U", QUERY)
    bob.count(1 + 50 + 74 + 1)
    alice.send("O")
    alice.until_closed()

    again = connect(venue.orders)
    same("login to resume", "A", again.login("ALICE", session, 50)[0])
    again.send("+", b"a debug packet is ignored")
    again.send("R")
    again.send("U", QUERY)
    again.until(lambda: again.messages()[-1:] and again.messages()[-1][:1] == b"Q")
    same("all messages", alice.messages()[49:], again.messages()[: len(alice.messages()) - 49])

    for password, wanted, code in (("wrong", "", b"A"), (PASSWORD, "OLD", b"S")):
        refused = connect(venue.orders)
        same("refusal", ("J", code), refused.login("CAROL", wanted, 1, password))
        refused.until_closed()

    # Heartbeats on all sides, until the day and with it the session ends.
    clients = [bob, feed, again]
    sockets = {client.socket: client for client in clients}
    deadline = time.monotonic() + DAY_S + PATIENCE_S
    while sockets:
        check(time.monotonic() < deadline, "the day does not end")
        ready, _, _ = select.select(list(sockets), [], [], PATIENCE_S)
        check(ready, "the venue fell silent")
        for each in ready:
            client = sockets[each]
            before = len(client.received)
            client.read()
            if not client.is_open:
                del sockets[each]
            elif any(kind == "H" for kind, _ in client.received[before:]):
                client.send("R")
    for client in clients:
        client.until_closed()
        same("last packet", "Z", client.received[-1][0])
        check(any(kind == "H" for kind, _ in client.received), "no heartbeat")


class Capture:
    """dumpcap on the loopback device."""

    def __init__(self, path, ports):
        self.path = path
        where = " or ".join(f"tcp port {port}" for port in ports)
        command = ["dumpcap", "-q", "-i", "lo", "-f", where, "-w", str(path)]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.said = ""
        for line in self.process.stderr:
            self.said += line
            if line.startswith("File:"):
                break
        self.is_running = self.process.poll() is None and "File:" in self.said

    def finish(self, connections):
        """Waits until both ends of every connection were seen."""
        deadline = time.monotonic() + PATIENCE_S
        wanted = {ports for pair in connections for ports in (pair, pair[::-1])}
        seen = set()
        while not wanted <= seen:
            check(time.monotonic() < deadline, f"not captured: the ends of {wanted - seen}")
            fields = ["tcp.srcport", "tcp.dstport"]
            rows = tshark(self.path, fields, "-Y", "tcp.flags.fin == 1", is_growing=True)
            seen = {(int(source), int(target)) for source, target in rows}
        self.process.terminate()
        self.process.communicate(timeout=PATIENCE_S)


def record(path, segments):
    """Writes segments as a capture of raw IP packets."""
    next_byte = collections.defaultdict(lambda: 1)
    with open(path, "wb") as file:
        file.write(struct.pack("!IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 101))
        for time_s, ((source, target), data) in enumerate(segments):
            # As long as on the loopback device: see docs/protocol/referees.md.
            for at in range(0, len(data), 65_000):
                part = data[at : at + 65_000]
                sequence, back = next_byte[source, target], next_byte[target, source]
                next_byte[source, target] += len(part)
                tcp = struct.pack("!HHIIHHHH", source, target, sequence, back, 0x5018, 65_535, 0, 0)
                local = socket.inet_aton("127.0.0.1")
                length = 20 + len(tcp) + len(part)
                ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, length, 0, 0, 64, 6, 0, local, local)
                file.write(struct.pack("!IIII", time_s, 0, length, length) + ip + tcp + part)


def tshark(path, fields, *options, is_growing=False):
    """The fields of each frame of the capture."""
    command = ["tshark", "-n", "-r", str(path), "-T", "fields", "-E", "separator=|", *options]
    for field in fields:
        command += ["-e", field]
    done = subprocess.run(command, capture_output=True, text=True)
    # Of a file that is still being written the last frame may be cut.
    check(is_growing or done.returncode == 0, f"{' '.join(command)}: {done.stderr}")
    return [line.split("|") for line in done.stdout.splitlines()]


def decode(path, ports):
    """What tshark finds: by connection and direction, packet types and payloads of messages."""
    as_soup = []
    for port in ports:
        as_soup += ["-d", f"tcp.port=={port},soupbintcp"]
    # Its OUCH is that of version 4, and would take some of our messages for those.
    as_soup += ["--disable-protocol", "ouch"]
    wrong = "_ws.malformed or soupbintcp.next_seq_num.invalid or soupbintcp.req_seq_num.invalid"
    same("malformed packets", [], tshark(path, ["frame.number"], *as_soup, "-Y", wrong))
    types, messages = collections.defaultdict(list), collections.defaultdict(list)
    fields = ["tcp.srcport", "tcp.dstport", "soupbintcp.packet_type", "soupbintcp.message"]
    for row in tshark(path, fields, *as_soup, "-Y", "soupbintcp"):
        way = int(row[0]), int(row[1])
        types[way] += [kind.strip("'") for kind in row[2].split(",")]
        messages[way] += [bytes.fromhex(text) for text in row[3].split(",") if text]
    return types, messages


def compare(clients, types, messages):
    """Holds every packet against those that the clients know."""
    total = collections.Counter()
    for client in clients:
        for way, packets in (
            (client.ports, client.sent),
            (client.ports[::-1], client.received),
        ):
            kinds = [kind for kind, _ in packets]
            same(f"packets {way}", "".join(kinds), "".join(types.pop(way, [])))
            payloads = [payload for kind, payload in packets if kind in "SU"]
            check(payloads == messages.pop(way, []), f"payloads of {way} differ")
            total.update(kinds)
    same("packets of others", {}, dict(types))
    same("kinds of packets", set("+AJSHZLURO"), set(total))
    return total


def referee():
    now = datetime.datetime.now(datetime.timezone.utc)
    end = now + datetime.timedelta(seconds=DAY_S)
    with Venue(f"venue.day_roll={end:%H:%M:%S}") as venue:
        ports = venue.orders[1], venue.data[1]
        path = venue.path.parent / "capture.pcap"
        capture = None if "recorded" in sys.argv[2:] else Capture(path, ports)
        clients, segments = [], []

        def connect(address):
            clients.append(Client(address, segments))
            return clients[-1]

        talk(venue, connect)
        if capture and capture.is_running:
            capture.finish([client.ports for client in clients])
            how = "captured"
        else:
            if capture:
                print(f"capturing is not permitted here: {capture.said.strip()}")
            record(path, segments)
            how = "recorded"
        total = compare(clients, *decode(path, ports))
        size = os.path.getsize(path)
    counted = " ".join(f"{kind} {count}" for kind, count in sorted(total.items()))
    print(f"tshark: {sum(total.values())} packets {how}, {size} bytes of capture")
    print(f"  {counted}")


judge(referee)
