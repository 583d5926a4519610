"""The responses API with the official openai package. See checks.py for the environment."""

import json

import openai

import checks
from shapes import PERSON_QUESTION, PICTURE, TOKENS, WEATHER_QUESTION, WEATHER_SCHEMA, Person, Weather, obeys

client = openai.OpenAI(base_url=checks.url() + "/v1", api_key=checks.KEY, max_retries=0)
QUESTION = "Tell me about foxes."
TOOL = {"type": "function", "name": "weather", "description": "Tell the weather.", "strict": True,
        "parameters": WEATHER_SCHEMA}


def respond(**options):
    return client.responses.create(**{
        "model": checks.CHAT, "input": QUESTION, "temperature": 0, "max_output_tokens": 24, **options})


def check_create(check):
    answer = respond()
    check.equal(answer.object, "response", "an answer says what it is")
    check.that(answer.status in ("completed", "incomplete"), "it has ended", answer.status)
    check.equal([item.type for item in answer.output], ["message"], "it is a message")
    check.that(answer.output_text, "it has a text")
    usage = answer.usage
    check.that(usage.input_tokens > 0 and usage.total_tokens == usage.input_tokens + usage.output_tokens, "usage adds up", usage)
    cut = respond(max_output_tokens=16)
    check.equal(cut.status, "incomplete", "a cut answer is incomplete")
    check.equal(cut.incomplete_details.reason, "max_output_tokens", "and says why")
    check.that(answer.id != cut.id, "ids are unique")
    check.alike(respond().output_text, answer.output_text, "greedy answers are the same")
    told = respond(instructions="Answer in capital letters.")
    check.that(told.usage.input_tokens != answer.usage.input_tokens, "instructions are a part of the prompt")


def check_stream(check):
    whole = respond()
    events = list(respond(stream=True))
    kinds = [event.type for event in events]
    check.equal(kinds[:2], ["response.created", "response.in_progress"], "a stream begins")
    check.that(kinds[-1] in ("response.completed", "response.incomplete"), "and ends", kinds[-1])
    numbers = [event.sequence_number for event in events]
    check.that(numbers == sorted(set(numbers)), "events are numbered upwards", numbers)
    deltas = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    check.equal(deltas, whole.output_text, "its pieces are the whole answer")
    check.equal(events[-1].response.output_text, deltas, "the last event repeats it")
    for opened, closed in (("response.output_item.added", "response.output_item.done"),
                           ("response.content_part.added", "response.content_part.done")):
        check.that(kinds.count(opened) == kinds.count(closed) >= 1, f"each {opened} has its end", kinds)
    # The helper wants an answer that is complete.
    short = {"input": "What is the capital of France? One sentence.", "max_output_tokens": 200}
    with client.responses.stream(model=checks.CHAT, temperature=0, **short) as stream:
        for _ in stream:
            pass
        check.equal(stream.get_final_response().output_text, respond(**short).output_text, "the streaming helper agrees")


def check_parse(check):
    options = {"model": checks.CHAT, "input": PERSON_QUESTION, "temperature": 0, "max_output_tokens": TOKENS}
    answer = client.responses.parse(**options, text_format=Person)
    check.that(isinstance(answer.output_parsed, Person), "parse gives the pydantic model", answer.output_text)
    check.that(obeys(Person, answer.output_text), "the text obeys the schema", answer.output_text)
    with client.responses.stream(**options, text_format=Person) as stream:
        for _ in stream:
            pass
        check.that(isinstance(stream.get_final_response().output_parsed, Person), "the streaming helper parses too")


def check_tools(check):
    options = {"input": WEATHER_QUESTION, "tools": [TOOL], "tool_choice": "required", "max_output_tokens": TOKENS}
    answer = respond(**options)
    calls = [item for item in answer.output if item.type == "function_call"]
    check.that(calls and all(call.call_id and call.name == "weather" for call in calls), "required calls", answer.output)
    check.that(all(obeys(Weather, call.arguments) for call in calls), "its arguments obey the schema", calls)
    results = [{"type": "function_call_output", "call_id": call.call_id, "output": "18 degrees"} for call in calls]
    after = respond(input=results, tools=[TOOL], previous_response_id=answer.id)
    check.that(after.output, "a result is answered", after)
    events = list(respond(**options, stream=True))
    pieces = "".join(event.delta for event in events if event.type == "response.function_call_arguments.delta")
    done = [event.arguments for event in events if event.type == "response.function_call_arguments.done"]
    check.equal(pieces, "".join(done), "the pieces of a streamed call are its whole")
    check.that(done and all(isinstance(json.loads(one), dict) for one in done), "and JSON", done)


def check_kept(check):
    first = respond(input="My name is Ada.")
    second = respond(input="What is my name?", previous_response_id=first.id)
    check.equal(second.previous_response_id, first.id, "an answer names the one before")
    alone = respond(input="What is my name?")
    check.that(second.usage.input_tokens > alone.usage.input_tokens, "what was said before is in the prompt")
    check.equal(client.responses.retrieve(first.id).output_text, first.output_text, "a kept answer can be read")
    items = list(client.responses.input_items.list(first.id))
    check.that(items and items[0].role == "user", "and what was asked", items)
    client.responses.delete(first.id)
    check.refused(lambda: client.responses.retrieve(first.id), 404, "a deleted answer is gone")
    check.refused(lambda: respond(previous_response_id=first.id), (400, 404), "and cannot be gone on from")
    unkept = respond(store=False)
    check.refused(lambda: client.responses.retrieve(unkept.id), 404, "store: false keeps nothing")


def check_errors(check):
    check.refused(lambda: respond(model="none"), 404, "an unknown model is refused", "model")
    check.refused(lambda: respond(temperature=9), 400, "a wrong temperature is refused by name", "temperature")
    check.refused(lambda: respond(input=[]), 400, "no input is refused", "input")
    check.refused(lambda: respond(tools=[{"type": "web_search"}]), 400, "a tool that a node lacks is refused", "tools")
    check.refused(lambda: respond(extra_body={"unheard_of": 1}), 400, "an unknown field is refused", "unheard_of")


def check_pictures(check):
    picture = {"type": "input_image", "image_url": f"data:image/png;base64,{PICTURE}", "detail": "auto"}
    words = [{"type": "input_text", "text": "What is this?"}]

    def ask(shown):
        content = [picture, *words] if shown else words
        return respond(input=[{"role": "user", "content": content}], max_output_tokens=16).usage.input_tokens

    check.shown(ask, "input[0].content[0].image_url")


checks.run({"create": check_create, "pictures": check_pictures, "stream": check_stream, "parse": check_parse, "tools": check_tools,
            "kept": check_kept, "errors": check_errors})
