"""Drives /v1/responses and /v1/files with the official openai package, and holds every answer to the
package's own types. Usage: openai_responses.py http://HOST:PORT"""

import io
import json
import sys
import urllib.request

import openai
import pydantic
from openai.types import FileObject
from openai.types.responses import Response, ResponseItemList, ResponseStreamEvent

QUESTION = "What is the capital of France? One sentence."


def check(condition, what):
    if not condition:
        sys.exit(f"FAILED: {what}")
    print(f"ok: {what}")


def valid(kind, data):
    """The client itself takes anything; this refuses what its types do not say."""
    return pydantic.TypeAdapter(kind).validate_python(data)


def create(client, **options):
    defaults = {"model": "chat", "input": QUESTION, "temperature": 0, "max_output_tokens": 24}
    return client.responses.create(**{**defaults, **options})


def raw_events(url, **options):
    body = {"model": "chat", "input": QUESTION, "stream": True, "max_output_tokens": 24, **options}
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url + "/v1/responses", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request) as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith("data: "):
                yield json.loads(line.removeprefix("data: "))


def check_shapes(client, url):
    raw = client.responses.with_raw_response.create(model="chat", input=QUESTION, max_output_tokens=24)
    valid(Response, json.loads(raw.text))
    check(True, "an answer is what the types say")
    events = list(raw_events(url))
    for event in events:
        valid(ResponseStreamEvent, event)
    check([e["sequence_number"] for e in events] == list(range(len(events))), "events are numbered")
    check(events[0]["type"] == "response.created", "a stream begins with response.created")
    ends = ("response.completed", "response.incomplete")
    check(events[-1]["type"] in ends, "a stream ends with the answer")


def check_stream(client):
    with client.responses.stream(model="chat", input=QUESTION, max_output_tokens=24) as stream:
        text = "".join(e.delta for e in stream if e.type == "response.output_text.delta")
    check(text != "", "the client's own stream helper follows")


def check_kept(client):
    first = create(client, instructions="Be brief.", metadata={"a": "b"})
    check(first.output_text != "" and first.status in ("completed", "incomplete"), "an answer")
    check(first.metadata == {"a": "b"}, "metadata comes back")
    kept = client.responses.retrieve(first.id)
    check(kept.output_text == first.output_text, "an answer is kept")
    items = client.responses.input_items.list(first.id)
    check([item.type for item in items] == ["message"], "what it was asked is kept")
    raw = client.responses.input_items.with_raw_response.list(first.id)
    valid(ResponseItemList, json.loads(raw.text))
    second = create(client, previous_response_id=first.id, input="Say it again.")
    check(second.previous_response_id == first.id, "a later request goes on from it")
    check(second.usage.input_tokens > 0, "tokens are counted")
    back = [{"role": "user", "content": QUESTION}, *first.output]
    again = create(client, input=[*back, {"role": "user", "content": "Say it again."}])
    check(again.output_text != "", "items can be sent back")
    client.responses.delete(first.id)
    try:
        create(client, previous_response_id=first.id)
        sys.exit("FAILED: a deleted answer is gone")
    except openai.BadRequestError as error:
        check(error.code == "previous_response_not_found", "a deleted answer is gone")


def check_files(client):
    text = b"# Foxes\n\nA fox is a dog. It hunts at night.\n\n# Owls\n\nAn owl is a bird.\n"
    file = client.files.create(file=("animals.md", io.BytesIO(text)), purpose="assistants")
    raw = client.files.with_raw_response.retrieve(file.id)
    valid(FileObject, json.loads(raw.text))
    check(file.bytes == len(text) and file.filename == "animals.md", "a file is taken")
    check(client.files.content(file.id).read() == text, "it comes back as it was")
    check(file.id in [f.id for f in client.files.list(purpose="assistants")], "it is listed")
    body = {"id": file.id, "filename": "animals.md", "chunk_capacity": 12}
    chunks = client.post("/chunks", body=body, cast_to=object)["chunks"]
    check(len(chunks) > 1, f"it is cut into chunks: {chunks}")
    check(client.files.delete(file.id).deleted, "it is removed")


def main():
    url = sys.argv[1]
    client = openai.OpenAI(base_url=url + "/v1", api_key="none", max_retries=0)
    check_shapes(client, url)
    check_stream(client)
    check_kept(client)
    check_files(client)
    print("all checks passed")


main()
