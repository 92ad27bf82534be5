"""Golden outcomes of Great Expectations, for src/ml/expect.

    python3 -m venv /tmp/golden
    /tmp/golden/bin/pip install great_expectations==1.24.1 pandas==2.3.3 numpy==2.3.5
    /tmp/golden/bin/python tests/golden/expectations.py > tests/golden/expectations.json

One table, and per expectation cases that hold and cases that do not. `expectation` is written as in
a suite of this program; `gx` are the same parameters as Great Expectations takes them, where they
differ: types bear the names of pandas, and quantiles come with a list of ranges. Row conditions go
through pandas' `query`.
"""

import json
import logging
import os
import warnings

os.environ["GX_ANALYTICS_ENABLED"] = "false"
warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)

import great_expectations as gx
import numpy as np
import pandas as pd
from great_expectations.expectations.row_conditions import PassThroughCondition

assert gx.__version__ == "1.24.1", gx.__version__
assert pd.__version__ == "2.3.3", pd.__version__

ROWS = 60


def table():
    draw = np.random.Generator(np.random.PCG64(11))

    def holes(values, share):
        return [None if draw.random() < share else value for value in values]

    months = draw.integers(0, 73, ROWS).tolist()
    a, b = draw.integers(0, 6, ROWS).tolist(), draw.integers(0, 6, ROWS).tolist()
    days = [f"2026-{1 + i % 12:02}-{1 + i % 28:02}" for i in range(ROWS)]
    days[7], days[20], days[33] = "2026-02-30", "2026-2-3", "03.02.2026"
    documents = [json.dumps({"n": i}) for i in range(ROWS)]
    documents[3], documents[9], documents[10] = "{", "[1,]", "3"
    steps = np.cumsum(draw.integers(0, 3, ROWS)).tolist()
    steps[30] = 0
    return {
        "id": [f"K-{i:03}" for i in range(ROWS)],
        "code": [f"{'ab'[i % 2]}{i % 17}" for i in range(ROWS)],
        "plan": holes(draw.choice(["basic", "plus", "pro"], ROWS, p=[0.6, 0.3, 0.1]).tolist(), 0.1),
        "months": months,
        "charge": holes((draw.integers(100, 900, ROWS) / 8).tolist(), 0.15),
        "steps": holes(steps, 0.1),
        "falls": [-3.0 * step for step in steps],
        "day": holes(days, 0.1),
        "document": documents,
        "is_new": (draw.random(ROWS) < 0.3).tolist(),
        "a": holes(a, 0.1),
        "b": holes(b, 0.1),
        "rest": [None if x is None or y is None else 10 - x - y for x, y in zip(a, b)],
        "tie": ["x", "y"] * (ROWS // 2),
        "none": [None] * ROWS,
    }


def cases():
    """Name, parameters, and where they differ those of Great Expectations."""
    values = "expect_column_values_to_"
    yield values + "not_be_null", {"column": "id"}
    yield values + "not_be_null", {"column": "charge"}
    yield values + "not_be_null", {"column": "charge", "mostly": 0.8}
    yield values + "not_be_null", {"column": "none"}
    yield values + "be_null", {"column": "none"}
    yield values + "be_null", {"column": "charge"}
    yield values + "be_null", {"column": "charge", "mostly": 0.1}
    for column in ["months", "charge"]:
        yield values + "be_between", {"column": column, "min_value": 0, "max_value": 1000}
        yield values + "be_between", {"column": column, "min_value": 20}
        yield values + "be_between", {"column": column, "max_value": 60, "mostly": 0.4}
        for strict in [{}, {"strict_min": True}, {"strict_max": True}]:
            bounds = {"min_value": 25, "max_value": 60} | strict
            yield values + "be_between", {"column": column} | bounds
            filtered = bounds | {"row_condition": 'plan == "basic" and months > 30'}
            yield values + "be_between", {"column": column} | filtered
    for name in ["be_in_set", "not_be_in_set"]:
        yield values + name, {"column": "plan", "value_set": ["basic", "plus", "pro"]}
        yield values + name, {"column": "plan", "value_set": ["basic", "plus"]}
        yield values + name, {"column": "plan", "value_set": ["pro"], "mostly": 0.5}
        yield values + name, {"column": "a", "value_set": [0, 1, 2]}
        yield values + name, {"column": "months", "value_set": [1, 2, 3]}
        yield values + name, {"column": "is_new", "value_set": [True]}
    yield values + "be_unique", {"column": "id"}
    yield values + "be_unique", {"column": "code"}
    yield values + "be_unique", {"column": "charge", "mostly": 0.9}
    yield values + "be_unique", {"column": "code", "row_condition": "months >= 40"}
    for column, type_, dtype in [
        ("months", "integer", "int64"),
        ("months", "text", "str"),
        ("id", "text", "str"),
        ("id", "integer", "int"),
        ("is_new", "boolean", "bool"),
        ("charge", "number", "float64"),
        ("plan", "text", "str"),
    ]:
        yield values + "be_of_type", {"column": column, "type_": type_}, {"type_": dtype}
    yield values + "be_in_type_list", {"column": "months", "type_list": ["integer", "number"]}, {
        "type_list": ["int64", "float64"]
    }
    yield values + "be_in_type_list", {"column": "id", "type_list": ["integer", "number"]}, {
        "type_list": ["int", "float"]
    }
    for name, column in [("increasing", "steps"), ("decreasing", "falls")]:
        for column in [column, "months", "falls"]:
            yield values + "be_" + name, {"column": column}
            yield values + "be_" + name, {"column": column, "strictly": True, "mostly": 0.6}
    z = "expect_column_value_z_scores_to_be_less_than"
    for threshold in [1, 1.5, 3]:
        for double in [True, False]:
            yield z, {"column": "charge", "threshold": threshold, "double_sided": double}
    yield from texts(values)
    yield from aggregates()
    yield from distributions()
    yield from several_columns()
    yield from tables()


def texts(values):
    for name in ["match_regex", "not_match_regex"]:
        for regex in [r"^K-\d{3}$", "K", r"-0[0-4]\d", "z"]:
            yield values + name, {"column": "id", "regex": regex}
        yield values + name, {"column": "plan", "regex": "^p", "mostly": 0.3}
    for match_on in ["any", "all"]:
        yield values + "match_regex_list", {
            "column": "plan",
            "regex_list": ["^p", "o$"],
            "match_on": match_on,
        }
    yield values + "match_regex_list", {"column": "id", "regex_list": ["^K", "x"]}
    yield values + "not_match_regex_list", {"column": "plan", "regex_list": ["^b", "us$"]}
    yield values + "not_match_regex_list", {"column": "id", "regex_list": ["^b", "us$"]}
    lengths = "expect_column_value_lengths_to_"
    yield lengths + "be_between", {"column": "code", "min_value": 2, "max_value": 3}
    yield lengths + "be_between", {"column": "code", "min_value": 2, "strict_min": True}
    yield lengths + "be_between", {"column": "plan", "max_value": 4, "mostly": 0.4}
    yield lengths + "equal", {"column": "id", "value": 5}
    yield lengths + "equal", {"column": "plan", "value": 5}
    for strftime in ["%Y-%m-%d", "%d.%m.%Y", "%Y-%m"]:
        yield values + "match_strftime_format", {"column": "day", "strftime_format": strftime}
    yield values + "match_strftime_format", {
        "column": "day",
        "strftime_format": "%Y-%m-%d",
        "mostly": 0.9,
    }
    yield values + "be_json_parseable", {"column": "document"}
    yield values + "be_json_parseable", {"column": "document", "mostly": 0.9}
    yield values + "be_json_parseable", {"column": "id"}


def aggregates():
    bounds = {
        "min": [(0, 20), (30, None), (None, 5)],
        "max": [(60, 120), (None, 70), (200, None)],
        "mean": [(10, 100), (40, 41), (None, 20)],
        "median": [(10, 100), (None, 20), (90, None)],
        "stdev": [(1, 100), (None, 2), (30, None)],
        "sum": [(1, 10000), (None, 2), (4000, None)],
    }
    for measure, ranges in bounds.items():
        name = f"expect_column_{measure}_to_be_between"
        for low, high in ranges:
            given = {"min_value": low, "max_value": high}
            given = {key: value for key, value in given.items() if value is not None}
            for column in ["months", "charge"]:
                yield name, {"column": column} | given
            filtered = {"row_condition": "plan in ['basic', 'plus'] and charge > 50"}
            yield name, {"column": "charge"} | given | filtered
    name = "expect_column_min_to_be_between"
    yield name, {"column": "a", "min_value": 0}
    yield name, {"column": "a", "min_value": 0, "strict_min": True}
    name = "expect_column_quantile_values_to_be_between"
    for column in ["months", "charge", "a"]:
        for quantiles in [
            [(0.05, 0, 20), (0.5, 10, 80), (0.95, 60, 120)],
            [(0.25, None, 10), (0.75, 90, None)],
            [(0.0, 0, 0), (1.0, 5, 5)],
            [(0.1, 0, 1), (0.3, 1, 2), (0.7, 3, 4)],
        ]:
            ours = [
                {"quantile": q}
                | ({} if low is None else {"min_value": low})
                | ({} if high is None else {"max_value": high})
                for q, low, high in quantiles
            ]
            theirs = {
                "quantiles": [q for q, _, _ in quantiles],
                "value_ranges": [[low, high] for _, low, high in quantiles],
            }
            yield name, {"column": column, "quantile_ranges": ours}, {"quantile_ranges": theirs}
    for low, high in [(1, 100), (4, 10), (30, 34)]:
        for column in ["plan", "code", "charge"]:
            name = "expect_column_unique_value_count_to_be_between"
            yield name, {"column": column, "min_value": low, "max_value": high}
    for low, high in [(0, 0.2), (0.5, 1), (0.9, 1.0)]:
        for column in ["plan", "code", "id", "charge"]:
            given = {"column": column, "min_value": low, "max_value": high}
            yield "expect_column_proportion_of_unique_values_to_be_between", given
            yield "expect_column_proportion_of_non_null_values_to_be_between", given
    sets = [["basic", "plus", "pro"], ["basic", "plus"], ["basic", "plus", "pro", "max"], ["basic"]]
    for value_set in sets:
        for relation in ["be_in_set", "contain_set", "equal_set"]:
            name = "expect_column_distinct_values_to_" + relation
            yield name, {"column": "plan", "value_set": value_set}
        name = "expect_column_most_common_value_to_be_in_set"
        yield name, {"column": "plan", "value_set": value_set}
    yield name, {"column": "plan", "value_set": ["pro"]}
    yield name, {"column": "tie", "value_set": ["x"]}
    yield name, {"column": "tie", "value_set": ["x"], "ties_okay": True}


def distributions():
    name = "expect_column_kl_divergence_to_be_less_than"
    plans = {"values": ["basic", "plus", "pro"], "weights": [0.6, 0.3, 0.1]}
    few = {"values": ["basic", "plus"], "weights": [0.6, 0.4]}
    bins = {"bins": [0, 20, 40, 60], "weights": [0.5, 0.25, 0.25]}
    tails = {"bins": [20, 40, 60], "weights": [0.3, 0.3], "tail_weights": [0.2, 0.2]}
    gaps = {"bins": [0, 20, 40, 100], "weights": [0.5, 0.5, 0.0]}
    for threshold in [0.001, 0.1, 1.5]:
        common = {"threshold": threshold}
        yield name, {"column": "plan", "partition_object": plans} | common
        yield name, {"column": "plan", "partition_object": few} | common
        held = {"tail_weight_holdout": 0.1}
        yield name, {"column": "plan", "partition_object": few} | common | held
        yield name, {"column": "months", "partition_object": bins} | common
        yield name, {"column": "months", "partition_object": bins} | common | held
        yield name, {"column": "months", "partition_object": tails} | common
        internal = {"internal_weight_holdout": 0.2}
        yield name, {"column": "months", "partition_object": gaps} | common | internal
        yield name, {"column": "months", "partition_object": gaps} | common | internal | held


def several_columns():
    pair = "expect_column_pair_values_"
    for ignore in ["both_values_are_missing", "either_value_is_missing", "neither"]:
        both = {"column_A": "a", "column_B": "b", "ignore_row_if": ignore}
        yield pair + "to_be_equal", both
        yield pair + "to_be_equal", both | {"mostly": 0.1}
        yield pair + "a_to_be_greater_than_b", both
        yield pair + "a_to_be_greater_than_b", both | {"or_equal": True, "mostly": 0.5}
        pairs = [[x, y] for x in range(6) for y in range(4)]
        yield pair + "to_be_in_set", both | {"value_pairs_set": pairs}
        yield pair + "to_be_in_set", both | {"value_pairs_set": pairs, "mostly": 0.5}
    yield pair + "to_be_equal", {"column_A": "tie", "column_B": "code"}
    yield pair + "a_to_be_greater_than_b", {"column_A": "id", "column_B": "code"}
    for ignore in ["all_values_are_missing", "any_value_is_missing", "never"]:
        for columns in [["a", "b"], ["a", "b", "rest"], ["id", "plan"]]:
            both = {"column_list": columns, "ignore_row_if": ignore}
            yield "expect_compound_columns_to_be_unique", both
            yield "expect_select_column_values_to_be_unique_within_record", both | {"mostly": 0.7}
            if "id" not in columns:
                yield "expect_multicolumn_sum_to_equal", both | {"sum_total": 10}
        every = {"column_list": ["a", "b", "rest"], "ignore_row_if": ignore, "sum_total": 10}
        yield "expect_multicolumn_sum_to_equal", every | {"row_condition": "a > 2"}


def tables():
    for count in [0, 60, 61]:
        yield "expect_table_row_count_to_equal", {"value": count}
        yield "expect_table_row_count_to_be_between", {"min_value": count}
        yield "expect_table_row_count_to_be_between", {"max_value": count}
    for count in [15, 16]:
        yield "expect_table_column_count_to_equal", {"value": count}
        yield "expect_table_column_count_to_be_between", {"min_value": count, "max_value": 20}
    names = list(table())
    for columns in [names, names[::-1], names[1:], names + ["more"]]:
        for exact in [True, False]:
            given = {"column_set": columns, "exact_match": exact}
            yield "expect_table_columns_to_match_set", given
        yield "expect_table_columns_to_match_ordered_list", {"column_list": columns}
    yield "expect_column_to_exist", {"column": "plan"}
    yield "expect_column_to_exist", {"column": "plans"}


def main():
    columns = table()
    frame = pd.DataFrame({name: pd.Series(values) for name, values in columns.items()})
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("here").add_dataframe_asset("table")
    definition = asset.add_batch_definition_whole_dataframe("all")
    batch = definition.get_batch(batch_parameters={"dataframe": frame})
    golden = []
    for name, ours, *theirs in cases():
        given = dict(ours) | (theirs[0] if theirs else {})
        condition = given.pop("row_condition", None)
        if condition is not None:
            given["row_condition"] = PassThroughCondition(pass_through_filter=condition)
        kind = getattr(gx.expectations, "".join(word.title() for word in name.split("_")), None)
        if kind is None:
            kind = gx.expectations.registry.get_expectation_impl(name)
        outcome = batch.validate(kind(**given))
        raised = str(outcome.exception_info)
        assert "raised_exception': True" not in raised, (name, given, raised[-2000:])
        result = outcome.result
        golden.append(
            {
                "expectation": {"expect": name} | ours,
                "success": bool(outcome.success),
                "unexpected_count": result.get("unexpected_count"),
                "observed": plain(result.get("observed_value")),
            }
        )
    document = {"columns": columns, "cases": golden}
    print("{")
    print(f' "columns": {json.dumps(document["columns"])},')
    print(' "cases": [')
    print(",\n".join(f"  {json.dumps(case)}" for case in golden))
    print(" ]\n}")


def plain(value):
    """A number as it is; other observed values are told in another shape here."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.number)):
        return None
    return float(value)


if __name__ == "__main__":
    main()
