"""Reads an OTLP request for traces from stdin, in JSON, and prints what OpenTelemetry's protobuf makes
of it. Unknown members, and values of another type, are errors."""

import base64
import json
import sys

from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span


def plain(attributes):
    values = ((each.key, each.value) for each in attributes)
    return {key: getattr(value, value.WhichOneof("value")) for key, value in values}


def as_protobuf(document):
    """Identifiers are hex in OTLP, where protobuf's own JSON has base64."""
    if isinstance(document, list):
        return [as_protobuf(item) for item in document]
    if not isinstance(document, dict):
        return document
    ids = ("traceId", "spanId", "parentSpanId")
    return {
        key: base64.b64encode(bytes.fromhex(value)).decode() if key in ids else as_protobuf(value)
        for key, value in document.items()
    }


request = ParseDict(as_protobuf(json.load(sys.stdin)), ExportTraceServiceRequest())
spans = []
for of_resource in request.resource_spans:
    for of_scope in of_resource.scope_spans:
        for span in of_scope.spans:
            spans.append({
                "name": span.name,
                "kind": Span.SpanKind.Name(span.kind),
                "trace_id": span.trace_id.hex(),
                "parent_id": span.parent_span_id.hex(),
                "nanoseconds": span.end_time_unix_nano - span.start_time_unix_nano,
                "attributes": plain(span.attributes),
            })
resource = plain(request.resource_spans[0].resource.attributes)
print(json.dumps({"resource": resource, "spans": spans}))
