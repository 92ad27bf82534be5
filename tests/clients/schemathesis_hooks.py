"""How Schemathesis writes bodies of the types that it does not know: texts, as they are."""

import schemathesis


@schemathesis.serializer("application/x-ndjson", "text/csv")
def text(ctx, value):
    return value if isinstance(value, bytes) else str(value).encode(errors="ignore")
