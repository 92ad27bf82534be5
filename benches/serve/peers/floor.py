"""As little as Python can do and still answer over HTTP: no framework, no check, a dot product."""

import json

from weights import Weights

weights = Weights()
HEADERS = [(b"content-type", b"application/json")]


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    answer = b"ready"
    if scope["path"] == "/predict":
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        probability = weights.probability(json.loads(body))
        answer = json.dumps(
            {"prediction": int(probability > 0.5), "probability": probability}
        ).encode()
    length = (b"content-length", str(len(answer)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [*HEADERS, length]})
    await send({"type": "http.response.body", "body": answer})
