"""Asks the service through Triton's own client of the Open Inference Protocol V2.

    triton.py HOST:PORT MODEL RECORDS.json    prints {"probability": [...], "prediction": [...]}

RECORDS.json is a list of records without gaps; every field becomes a tensor [n, 1].
"""

import json
import sys

import numpy as np
import tritonclient.http as triton

TYPES = {"INT64": np.int64, "FP64": np.float64, "BOOL": np.bool_, "BYTES": np.object_}


def main(address, model, path):
    with open(path) as file:
        records = json.load(file)
    client = triton.InferenceServerClient(address)
    assert client.is_server_live() and client.is_server_ready() and client.is_model_ready(model)
    metadata = client.get_model_metadata(model)
    assert metadata["name"] == model, metadata
    version = metadata["versions"][0]
    assert client.is_model_ready(model, version)
    assert client.get_server_metadata()["name"] == "pipeline"

    inputs = []
    for tensor in metadata["inputs"]:
        values = [[record[tensor["name"]]] for record in records]
        array = np.array(values, dtype=TYPES[tensor["datatype"]])
        given = triton.InferInput(tensor["name"], list(array.shape), tensor["datatype"])
        given.set_data_from_numpy(array, binary_data=False)
        inputs.append(given)
    outputs = [triton.InferRequestedOutput(t["name"], binary_data=False) for t in metadata["outputs"]]
    result = client.infer(model, inputs, model_version=version, outputs=outputs, request_id="r-1")
    assert result.get_response()["id"] == "r-1", result.get_response()
    answers = {t["name"]: result.as_numpy(t["name"]).reshape(-1).tolist() for t in metadata["outputs"]}

    inputs[0].set_data_from_numpy(np.full((len(records), 1), 10**6, dtype=np.int64), binary_data=False)
    try:
        client.infer(model, inputs)
        raise SystemExit("a value out of range was taken")
    except triton.InferenceServerException as error:
        assert error.status() == "400" and "must be between" in error.message(), error
    try:
        client.get_model_metadata("another")
        raise SystemExit("another model was found")
    except triton.InferenceServerException as error:
        assert error.status() == "404", error
    print(json.dumps(answers))


if __name__ == "__main__":
    main(*sys.argv[1:])
