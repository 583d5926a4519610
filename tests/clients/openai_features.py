"""What agent frameworks use of the official client: functions, structured outputs, choices, scores.

    openai_features.py BASE_URL

The model is small: the checks are about shape and guarantees, never about cleverness.
"""
import enum
import json
import sys

import openai
from pydantic import BaseModel, Field


class Kind(enum.Enum):
    cat = "cat"
    dog = "dog"


class Pet(BaseModel):
    name: str = Field(max_length=12)
    age: int = Field(ge=0, le=30)
    kind: Kind


class Weather(BaseModel):
    """Weather of a city."""

    city: str = Field(max_length=16)


def check(condition, what):
    if not condition:
        sys.exit(f"FAILED: {what}")
    print(f"ok: {what}")


def ask(text):
    return [{"role": "user", "content": text}]


TOOL = openai.pydantic_function_tool(Weather, name="weather")


def check_functions(client):
    options = dict(model="chat", messages=ask("Weather in Rome?"), tools=[TOOL], max_tokens=80,
                   temperature=0, parallel_tool_calls=False)
    whole = client.chat.completions.create(tool_choice="required", **options)
    choice = whole.choices[0]
    check(choice.finish_reason == "tool_calls", "a demanded call ends with tool_calls")
    call = choice.message.tool_calls[0]
    check("city" in json.loads(call.function.arguments), "its arguments are JSON of the schema")
    parsed = client.chat.completions.parse(
        tool_choice={"type": "function", "function": {"name": "weather"}}, **options)
    arguments = parsed.choices[0].message.tool_calls[0].function.parsed_arguments
    check(isinstance(arguments, Weather), "the client parses the arguments of a named function")
    with client.chat.completions.stream(tool_choice="required", **options) as stream:
        deltas = [e for e in stream if e.type == "tool_calls.function.arguments.delta"]
        final = stream.get_final_completion()
    check(len(deltas) > 1, "arguments are streamed in pieces")
    call = final.choices[0].message.tool_calls[0]
    check(isinstance(call.function.parsed_arguments, Weather), "and put together by the helper")
    messages = options["messages"] + [
        final.choices[0].message.model_dump(exclude_none=True, exclude={"parsed"}),
        {"role": "tool", "tool_call_id": call.id, "content": "31 degrees"}]
    for called in messages[1]["tool_calls"]:
        called["function"].pop("parsed_arguments", None)
    after = client.chat.completions.create(**{**options, "messages": messages, "tool_choice": "none"})
    check(after.choices[0].message.content, "an answer follows a function's answer")
    both = [client.chat.completions.create(tool_choice="required", **options) for _ in range(2)]
    ids = {answer.choices[0].message.tool_calls[0].id for answer in both}
    check(len(ids) == 2, "call ids are unique")


def check_formats(client):
    parsed = client.chat.completions.parse(
        model="chat", messages=ask("Invent a pet."), response_format=Pet, max_tokens=80)
    check(isinstance(parsed.choices[0].message.parsed, Pet), "structured outputs parse")
    with client.chat.completions.stream(
            model="chat", messages=ask("Invent a pet."), response_format=Pet, max_tokens=80) as stream:
        stream.until_done()
        check(isinstance(stream.get_final_completion().choices[0].message.parsed, Pet),
              "structured outputs parse from a stream")
    answer = client.chat.completions.create(
        model="chat", messages=ask("Say something as JSON."), max_tokens=200, temperature=0,
        response_format={"type": "json_object"})
    choice = answer.choices[0]
    if choice.finish_reason == "stop":
        check(isinstance(json.loads(choice.message.content), dict), "json_object is an object")
    else:
        check(choice.message.content.startswith("{"), "json_object begins an object")
    response = client.responses.parse(model="chat", input="Invent a pet.", text_format=Pet,
                                      max_output_tokens=80)
    check(isinstance(response.output_parsed, Pet), "responses parse too")


def check_choices(client):
    answer = client.chat.completions.create(
        model="chat", messages=ask("Tell me a word."), n=3, seed=1, temperature=1, max_tokens=8,
        logprobs=True, top_logprobs=2)
    check([c.index for c in answer.choices] == [0, 1, 2], "n choices have their numbers")
    for choice in answer.choices:
        text = "".join(t.token for t in choice.logprobs.content)
        check(text == choice.message.content, "log probabilities spell the answer")
    usage = answer.usage
    check(usage.prompt_tokens + usage.completion_tokens == usage.total_tokens, "usage adds up")
    chunks = client.chat.completions.create(
        model="chat", messages=ask("Tell me a word."), n=2, max_tokens=6, stream=True)
    reasons = {c.choices[0].index: c.choices[0].finish_reason for c in chunks if c.choices}
    check(set(reasons) == {0, 1} and all(reasons.values()), "each streamed choice has its end")


def check_texts(client):
    answer = client.completions.create(model="chat", prompt=["One, two,", "Red, green,"], echo=True,
                                       logprobs=1, max_tokens=3, temperature=0)
    check([c.text[:4] for c in answer.choices] == ["One,", "Red,"], "two prompts are echoed")
    check(answer.choices[0].logprobs.token_logprobs[0] is None, "a first token has no probability")
    chunks = list(client.completions.create(model="chat", prompt="One, two,", max_tokens=4, stream=True))
    check(chunks[-1].choices[0].finish_reason == "length", "a streamed completion has its end")
    try:
        client.completions.create(model="chat", prompt="def f(", suffix=")", max_tokens=2)
        sys.exit("FAILED: this model can't fill a middle")
    except openai.BadRequestError as error:
        check(error.param == "suffix", "a suffix is refused where the model has no tokens for it")
    vectors = client.embeddings.create(model="embed", input=["a", "b"], dimensions=64).data
    check(len(vectors[0].embedding) == 64, "embeddings are cut to dimensions")
    check(abs(sum(x * x for x in vectors[0].embedding) - 1) < 1e-3, "and have length one again")


def main():
    client = openai.OpenAI(base_url=f"{sys.argv[1]}/v1", api_key="none", max_retries=0)
    for part in (check_functions, check_formats, check_choices, check_texts):
        part(client)
    print("all checks passed")


main()
