"""Proves with pyarrow and Python's csv that exported tables hold what the exported lines say.

tables.py PROGRAM VENUE...

Every event and every trade of the last session is exported as JSON lines, CSV and Parquet. pyarrow
reads the Parquet files and csv the others; row by row and field by field all say the same: integers
as integers, prices and quantities as exact decimals, times as nanoseconds.
"""

import csv
import decimal
import json
import pathlib
import sys
import tempfile

import pyarrow
import pyarrow.parquet

from venue import check, judge, run, same


def lines(path):
    with path.open() as file:
        return [json.loads(line) for line in file]


def as_text(value):
    """A field of a line as CSV shows it."""
    return value if isinstance(value, str) else json.dumps(value)


def as_arrow(value, kind):
    """A field of a line as a column of this type holds it."""
    if value is None or (pyarrow.types.is_decimal(kind) and value == "market"):
        return None
    if pyarrow.types.is_decimal(kind):
        return decimal.Decimal(value)
    if pyarrow.types.is_integer(kind) or pyarrow.types.is_timestamp(kind):
        return int(value)
    return as_text(value) if pyarrow.types.is_string(kind) else value


def compare_csv(path, expected):
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    same(f"rows of {path.name}", len(expected), len(rows))
    for line, row in zip(expected, rows):
        found = {name: text for name, text in row.items() if text != ""}
        wanted = {name: as_text(value) for name, value in line.items() if value != ""}
        same(f"{path.name}, record {line['seq']}", wanted, found)


def compare_parquet(path, expected):
    table = pyarrow.parquet.read_table(path)
    same(f"rows of {path.name}", len(expected), table.num_rows)
    known = set(table.column_names)
    for line in expected:
        check(set(line) <= known, f"{path.name} lacks a column for {set(line) - known}")
    for column in table.schema:
        values = table[column.name]
        if pyarrow.types.is_timestamp(column.type):
            same(f"type of {column.name}", pyarrow.timestamp("ns", "UTC"), column.type)
            values = values.cast(pyarrow.int64())
        wanted = [as_arrow(line.get(column.name), column.type) for line in expected]
        same(f"{path.name}, {column.name}", wanted, values.to_pylist())


def referee(venue):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for content in ("events", "trades"):
            paths = [folder / f"{content}.{kind}" for kind in ("jsonl", "csv", "parquet")]
            for path in paths:
                run("journal", "export", venue, f"--{content}", path)
            expected = lines(paths[0])
            check(expected, f"no {content} prove nothing")
            if content == "events":
                trades = [line for line in expected if line["event"] == "fill"]
            else:
                same("trades", trades, expected)
            compare_csv(paths[1], expected)
            compare_parquet(paths[2], expected)
            print(f"pyarrow: {len(expected)} {content}, as CSV and Parquet the same as in lines")


for each in sys.argv[2:]:
    judge(lambda: referee(each))
