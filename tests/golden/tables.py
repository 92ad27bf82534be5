"""The same small tables as CSV, Parquet and Arrow, by the programs that people write them with, for src/ml/table_file.

    python3 -m venv /tmp/golden && /tmp/golden/bin/pip install pyarrow==26.0.1 pandas==2.3.3 polars==2.1.0
    /tmp/golden/bin/python tests/golden/tables.py tests/golden/tables

`types.csv` is what every other file named `types-*` must be read as: each column has a type of its own, and a missing
value. `rows.*` is one table to learn from. What `refused.*` holds cannot be read, each column for a reason of its own.
"""

import datetime as dt
import decimal
import pathlib
import random
import sys

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.ipc as ipc
import pyarrow.parquet as pq

assert (pa.__version__, pd.__version__, pl.__version__) == ("26.0.1", "2.3.3", "2.1.0")
OUT = pathlib.Path(sys.argv[1])

UTC = dt.timezone.utc
DAYS = [dt.date(1970, 1, 1), dt.date(2026, 11, 25), None, dt.date(1582, 10, 4), dt.date(2000, 2, 29)]
MOMENTS = [
    dt.datetime(1970, 1, 1),
    dt.datetime(2026, 11, 25, 19, 58, 55, 500_000),
    None,
    dt.datetime(1969, 12, 31, 23, 59, 59, 1_000),
    dt.datetime(2000, 2, 29, 12, 0, 0, 123_456),
]


def at(moments, resolution):
    """Moments cut to so many microseconds."""
    cut = lambda m: m and m.replace(microsecond=m.microsecond // resolution * resolution)
    return [cut(moment) for moment in moments]


def type_of(values, ty):
    return pa.array(values, type=ty)


COLUMNS = {
    "code": type_of(["007", "x,y", None, 'a "q"', "é"], pa.string()),
    "large": type_of(["a", "b", None, "a", "b"], pa.large_string()),
    "i8": type_of([-128, 127, None, 0, 1], pa.int8()),
    "i16": type_of([-32768, 32767, None, 0, 1], pa.int16()),
    "i32": type_of([-(2**31), 2**31 - 1, None, 0, 1], pa.int32()),
    "i64": type_of([-(2**63), 2**63 - 1, None, 0, 1], pa.int64()),
    "u8": type_of([0, 255, None, 1, 2], pa.uint8()),
    "u16": type_of([0, 65535, None, 1, 2], pa.uint16()),
    "u32": type_of([0, 2**32 - 1, None, 1, 2], pa.uint32()),
    "u64": type_of([0, 2**63 - 1, None, 1, 2], pa.uint64()),
    "f32": type_of([0.5, -1.25, None, 3.0, 1e10], pa.float32()),
    "f64": type_of([0.1, 1e300, None, -2.5, 5e-324], pa.float64()),
    "truth": type_of([True, False, None, True, True], pa.bool_()),
    "day": type_of(DAYS, pa.date32()),
    "day64": type_of(DAYS, pa.date64()),
    "seconds": type_of(at(MOMENTS, 1_000_000), pa.timestamp("s")),
    "milliseconds": type_of(at(MOMENTS, 1_000), pa.timestamp("ms")),
    "microseconds": type_of(MOMENTS, pa.timestamp("us")),
    "nanoseconds": type_of(MOMENTS, pa.timestamp("ns")),
    "utc": type_of(MOMENTS, pa.timestamp("us", "UTC")),
    "plan": type_of(["b", "a", None, "b", "c"], pa.string()).dictionary_encode(),
    "nothing": type_of([None] * 5, pa.null()),
}
TYPES = pa.table(COLUMNS)


def text(value):
    """A value as a CSV file has it: of a moment no more digits than it needs."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.datetime):
        part = "microseconds" if value.microsecond % 1000 else "milliseconds" if value.microsecond else "seconds"
        return value.replace(tzinfo=None).isoformat(timespec=part) + ("Z" if value.tzinfo else "")
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, str):
        return '"' + value.replace('"', '""') + '"'
    return repr(value)


def write_csv(name, table):
    lists = []
    for column in table.columns:
        # Moments of nanoseconds are pandas' otherwise.
        is_day64 = column.type == pa.date64()
        column = column.cast(pa.timestamp("us")) if column.type == pa.timestamp("ns") else column
        lists.append([text(v.date() if is_day64 and isinstance(v, dt.datetime) else v) for v in column.to_pylist()])
    lines = [",".join(table.column_names)] + [",".join(row) for row in zip(*lists)]
    (OUT / name).write_text("\n".join(lines) + "\n")


def write_arrow(name, table, compression=None):
    # Several batches: a file of any size has them. One dictionary for all, as the format wants it.
    options = ipc.IpcWriteOptions(compression=compression)
    with ipc.new_file(OUT / name, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=max(2, table.num_rows // 3))


write_csv("types.csv", TYPES)
write_arrow("types-pyarrow.arrow", TYPES)
write_arrow("types-lz4.ipc", TYPES, "lz4")
write_arrow("types-zstd.ipc", TYPES, "zstd")
feather.write_feather(TYPES, OUT / "types-pyarrow.feather")
# Parquet has no seconds: they come back as milliseconds.
pq.write_table(TYPES, OUT / "types-pyarrow.parquet", compression="zstd")
frame = TYPES.to_pandas(types_mapper={
    pa.int8(): pd.Int8Dtype(), pa.int16(): pd.Int16Dtype(), pa.int32(): pd.Int32Dtype(), pa.int64(): pd.Int64Dtype(),
    pa.uint8(): pd.UInt8Dtype(), pa.uint16(): pd.UInt16Dtype(), pa.uint32(): pd.UInt32Dtype(),
    pa.uint64(): pd.UInt64Dtype(), pa.bool_(): pd.BooleanDtype(),
}.get)
# pandas gives a missing category a key that is none, which Arrow leaves open and polars refuses.
frame.to_feather(OUT / "categories-pandas.feather")
frame.astype({"plan": "string"}).to_feather(OUT / "types-pandas.feather")
frame.to_parquet(OUT / "types-pandas.parquet")
# polars has no days of 64 bits: it takes them for moments.
own = pl.from_arrow(TYPES.drop_columns("day64")).with_columns(
    pl.col("plan").cast(pl.Enum(["a", "b", "c", "d"])), pl.col("large").cast(pl.Categorical)
)
own.write_ipc(OUT / "types-polars.arrow")
own.write_parquet(OUT / "types-polars.parquet")

with ipc.new_stream(OUT / "stream.arrows", TYPES.schema) as writer:
    writer.write_table(TYPES)

ONE = {
    "price": type_of([decimal.Decimal("1.10")], pa.decimal128(10, 2)),
    "tags": type_of([["a", "b"]], pa.list_(pa.string())),
    "address": type_of([{"city": "x", "zip": 1}], pa.struct({"city": pa.string(), "zip": pa.int64()})),
    "opens": type_of([dt.time(8, 30)], pa.time64("us")),
    "lasted": type_of([dt.timedelta(seconds=3)], pa.duration("us")),
    "bytes": type_of([b"\x00"], pa.binary()),
    "paris": type_of([dt.datetime(2026, 1, 1, tzinfo=UTC)], pa.timestamp("us", "Europe/Paris")),
    "numbers": type_of([7], pa.int64()).dictionary_encode(),
}
write_arrow("refused.arrow", pa.table(ONE))
pq.write_table(pa.table(ONE), OUT / "refused.parquet")

draw = random.Random(4)
N = 240
plans = [draw.choice(["basic", "plus", "family"]) for _ in range(N)]
months = [None if draw.random() < 0.1 else draw.randrange(1, 60) for _ in range(N)]
usage = [round(draw.lognormvariate(1, 1), 3) for _ in range(N)]
joined = [dt.date(2020, 1, 1) + dt.timedelta(days=draw.randrange(1500)) for _ in range(N)]
left = [draw.random() < 0.2 + 0.4 * (plan == "basic") - 0.003 * (m or 0) for plan, m in zip(plans, months)]
ROWS = pa.table({
    "key": type_of([f"k{i:03}" for i in range(N)], pa.string()),
    "plan": type_of(plans, pa.string()).dictionary_encode(),
    "months": type_of(months, pa.int8()),
    "usage": type_of(usage, pa.float64()),
    "joined": type_of(joined, pa.date32()),
    "left": type_of(left, pa.bool_()),
})
write_csv("rows.csv", ROWS)
write_arrow("rows.arrow", ROWS, "lz4")
pq.write_table(ROWS, OUT / "rows.parquet", compression="zstd")
