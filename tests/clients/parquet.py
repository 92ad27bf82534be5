"""Sends a table to `/predict/batch` as CSV, and as Parquet in several ways; then files that are not
what they seem. Prints as JSON what was answered.

    parquet.py ADDRESS TABLE.csv
"""

import http.client
import io
import json
import random
import sys

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

PARQUET = "application/vnd.apache.parquet"
address, path = sys.argv[1:]


def post(body, content_type, accept="application/x-ndjson"):
    connection = http.client.HTTPConnection(address, timeout=120)
    headers = {"content-type": content_type, "accept": accept}
    connection.request("POST", "/predict/batch", body, headers)
    response = connection.getresponse()
    return response.status, response.read()


def written(table, **options):
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def bomb(groups):
    """So many million rows that are all the same."""
    values = {"age": 24, "charge": 99.5, "member": True, "plan": "gold"}
    group = pa.table({name: pa.repeat(value, 1_000_000) for name, value in values.items()})
    sink = io.BytesIO()
    with pq.ParquetWriter(sink, group.schema, compression="zstd") as writer:
        for _ in range(groups):
            writer.write_table(group, row_group_size=1_000_000)
    return sink.getvalue()


def damaged(whole, times):
    """The statuses of files of which some bytes are others, or the end is missing."""
    draw = random.Random(1)
    statuses = set()
    for _ in range(times):
        body = bytearray(whole)
        for _ in range(draw.randint(1, 4)):
            body[draw.randrange(len(body))] = draw.randrange(256)
        if draw.random() < 0.1:
            del body[draw.randrange(len(body)):]
        statuses.add(post(bytes(body), PARQUET)[0])
    return sorted(statuses)


csv = open(path, "rb").read()
status, expected = post(csv, "text/csv")
assert status == 200, expected
table = pa.csv.read_csv(io.BytesIO(csv))
ways = {
    "as it comes": {},
    "plain": {"compression": "none", "use_dictionary": False, "store_schema": False},
    "version 2": {"version": "2.6", "data_page_version": "2.0", "compression": "zstd"},
    "small pages": {"data_page_size": 64, "row_group_size": 7, "compression": "gzip"},
}
same = {}
for name, options in ways.items():
    status, answer = post(written(table, **options), PARQUET)
    same[name] = status == 200 and answer == expected
status, answer = post(written(table), PARQUET, PARQUET)
assert status == 200, answer
answers = pq.read_table(io.BytesIO(answer))
big = bomb(100)
status, answer = post(big, PARQUET)
print(json.dumps({
    "lines": expected.decode().splitlines(),
    "same": same,
    "types": {field.name: str(field.type) for field in answers.schema},
    "answers": answers.to_pylist(),
    "bomb": {"bytes": len(big), "status": status, "answer": json.loads(answer)},
    "damaged": damaged(written(table), 400),
}))
