"""The messages API with the official anthropic package. See checks.py for the environment."""

import anthropic

import checks
from shapes import PICTURE, TOKENS, WEATHER_QUESTION, WEATHER_SCHEMA, Weather, obeys

client = anthropic.Anthropic(base_url=checks.url(), api_key=checks.KEY, max_retries=0)
QUESTION = [{"role": "user", "content": "Tell me about foxes."}]
WEATHER = [{"role": "user", "content": WEATHER_QUESTION}]
TOOL = {"name": "weather", "description": "Tell the weather.", "input_schema": WEATHER_SCHEMA}
TIME = {"name": "time", "description": "Tell the time.", "input_schema": {
    "type": "object", "properties": {"zone": {"type": "string", "enum": ["UTC", "CET"]}}, "required": ["zone"]}}


def asked(**options) -> dict:
    """The package has no temperature of its own any more."""
    body = {"temperature": options.pop("temperature", 0)}
    return {"model": checks.CHAT, "messages": QUESTION, "max_tokens": 24, "extra_body": body, **options}


def message(**options):
    return client.messages.create(**asked(**options))


def prompt_tokens(usage) -> int:
    """Those found in a cache are counted apart."""
    return usage.input_tokens + (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)


def check_create(check):
    answer = message()
    check.equal((answer.type, answer.role, answer.model), ("message", "assistant", checks.CHAT), "an answer says what it is")
    check.equal([block.type for block in answer.content], ["text"], "it is a text")
    check.that(answer.id != message().id, "ids are unique")
    check.that(prompt_tokens(answer.usage) > 0 and answer.usage.output_tokens > 0, "usage is told", answer.usage)
    cut = message(max_tokens=3)
    check.equal((cut.stop_reason, cut.usage.output_tokens), ("max_tokens", 3), "max_tokens is exact")
    word = answer.content[0].text.split()[2]
    stopped = message(stop_sequences=[word])
    check.that(all(word not in block.text for block in stopped.content), "a stop sequence is not in the answer")
    check.equal((stopped.stop_reason, stopped.stop_sequence), ("stop_sequence", word), "and ends the answer")
    told = message(system="Answer in capital letters.")
    check.that(told.content and prompt_tokens(told.usage) != prompt_tokens(answer.usage), "a system prompt counts")


def check_stream(check):
    whole = message()
    with client.messages.stream(**asked()) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    check.alike(text, whole.content[0].text, "a stream says what a whole answer says")
    check.that(final.stop_reason in ("end_turn", "max_tokens"), "and says why it ends", final.stop_reason)
    check.that(final.usage.output_tokens > 0, "and counts its tokens", final.usage)
    kinds = [event.type for event in message(stream=True)]
    check.equal((kinds[0], kinds[-1]), ("message_start", "message_stop"), "a stream begins and ends")
    check.equal(kinds.count("content_block_start"), kinds.count("content_block_stop"), "each block has its end")
    check.equal(kinds[-2], "message_delta", "the reason comes before the end")


def check_tools(check):
    options = {"messages": WEATHER, "tools": [TOOL, TIME], "max_tokens": TOKENS}
    answer = message(**options, tool_choice={"type": "any"})
    calls = [block for block in answer.content if block.type == "tool_use"]
    check.equal(answer.stop_reason, "tool_use", "any ends with tool_use")
    check.that(calls and all(call.id and call.name in ("weather", "time") for call in calls), "any calls a tool", answer.content)
    named = message(**options, tool_choice={"type": "tool", "name": "weather"})
    calls = [block for block in named.content if block.type == "tool_use"]
    check.equal({call.name for call in calls}, {"weather"}, "a named tool is called")
    check.that(all(isinstance(call.input, dict) for call in calls), "its input is an object", calls)
    check.that(message(**options, tool_choice={"type": "none"}).stop_reason != "tool_use", "none calls nothing")
    one = message(**options, tool_choice={"type": "any", "disable_parallel_tool_use": True})
    check.equal(sum(block.type == "tool_use" for block in one.content), 1, "without parallel calls there is one")
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": "18 degrees"} for call in calls]
    turn = [*WEATHER, {"role": "assistant", "content": [call.model_dump() for call in calls]}, {"role": "user", "content": results}]
    check.that(message(messages=turn, tools=[TOOL, TIME]).content, "a result is answered")
    with client.messages.stream(**asked(**options, tool_choice={"type": "any"})) as stream:
        blocks = stream.get_final_message().content
    check.that(any(block.type == "tool_use" and isinstance(block.input, dict) for block in blocks), "a streamed call is whole", blocks)


def check_structured(check):
    output = {"format": {"type": "json_schema", "schema": WEATHER_SCHEMA}}
    answer = message(messages=WEATHER, max_tokens=TOKENS, output_config=output)
    check.that(obeys(Weather, answer.content[0].text), "output_config holds to a schema", answer.content)


def check_count(check):
    answer = message()
    counted = client.messages.count_tokens(model=checks.CHAT, messages=QUESTION)
    check.equal(counted.input_tokens, prompt_tokens(answer.usage), "tokens are counted as an answer counts them")
    with_tools = client.messages.count_tokens(model=checks.CHAT, messages=QUESTION, tools=[TOOL])
    check.that(with_tools.input_tokens > counted.input_tokens, "tools count")


def check_errors(check):
    check.refused(lambda: message(model="none"), 404, "an unknown model is refused")
    check.refused(lambda: message(temperature=9), 400, "a wrong temperature is refused by name", "temperature")
    check.refused(lambda: message(messages=[]), 400, "no messages are refused", "messages")
    check.refused(lambda: message(max_tokens=0), 400, "no tokens are refused", "max_tokens")
    try:
        message(model="none")
    except anthropic.NotFoundError as error:
        check.equal((error.body["type"], error.body["error"]["type"]), ("error", "not_found_error"), "errors have Anthropic's shape")


def check_pictures(check):
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PICTURE}}
    words = [{"type": "text", "text": "What is this?"}]

    def ask(shown):
        content = [picture, *words] if shown else words
        return prompt_tokens(message(messages=[{"role": "user", "content": content}], max_tokens=4).usage)

    check.shown(ask, "messages[0].content[0].source.data")


checks.run({"create": check_create, "pictures": check_pictures, "stream": check_stream, "tools": check_tools, "structured": check_structured,
            "count": check_count, "errors": check_errors})
