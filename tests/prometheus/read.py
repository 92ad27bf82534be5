"""Reads metrics from stdin with the parser of prometheus_client, and prints them as JSON.

Needs prometheus_client 0.26.0. A family is printed as its type and a list of samples.
"""

import json
import sys

from prometheus_client.parser import text_string_to_metric_families

families = {
    family.name: {
        "type": family.type,
        "samples": [[s.name, s.labels, s.value] for s in family.samples],
    }
    for family in text_string_to_metric_families(sys.stdin.read())
}
json.dump(families, sys.stdout)
