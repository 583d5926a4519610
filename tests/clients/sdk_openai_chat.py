"""Chat completions with the official openai package. See checks.py for the environment."""

import json
import time

import openai

import checks
from shapes import PERSON_QUESTION, PICTURE, TIME_TOOL, TOKENS, WEATHER_QUESTION, WEATHER_TOOL, Person, Weather, obeys

client = openai.OpenAI(base_url=checks.url() + "/v1", api_key=checks.KEY, max_retries=0)
QUESTION = [{"role": "user", "content": "Tell me about foxes."}]
WEATHER = [{"role": "user", "content": WEATHER_QUESTION}]
TOOLS = [WEATHER_TOOL, TIME_TOOL]
NAMES = {tool["function"]["name"] for tool in TOOLS}


def chat(**options):
    return client.chat.completions.create(**{
        "model": checks.CHAT, "messages": QUESTION, "temperature": 0, "max_tokens": 24, **options})


def adds_up(usage) -> bool:
    return usage.prompt_tokens > 0 and usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


def check_plain(check):
    answers = [chat() for _ in range(3)]
    first = answers[0]
    check.equal(first.object, "chat.completion", "an answer says what it is")
    check.equal(first.model, checks.CHAT, "an answer names its model")
    check.that(abs(time.time() - first.created) < 600, "an answer says when it was made", first.created)
    check.equal(len({answer.id for answer in answers}), 3, "ids are unique")
    check.equal(first.choices[0].message.role, "assistant", "the assistant answers")
    check.that(all(adds_up(answer.usage) for answer in answers), "usage adds up", first.usage)
    check.equal(len({answer.choices[0].message.content[:8] for answer in answers}), 1, "greedy answers are the same")
    for field in ("max_tokens", "max_completion_tokens"):
        cut = chat(**{"max_tokens": openai.omit, field: 3})
        check.equal((cut.choices[0].finish_reason, cut.usage.completion_tokens), ("length", 3), f"{field} is exact")
    word = first.choices[0].message.content.split()[2]
    stopped = chat(stop=[word])
    check.that(word not in stopped.choices[0].message.content, "a stop text is not in the answer")
    check.equal(stopped.choices[0].finish_reason, "stop", "a stop text ends with stop")
    seeded = [chat(temperature=1, seed=7).choices[0].message.content for _ in range(3)]
    check.equal(seeded[-1], seeded[-2], "the same seed gives the same answer")


def check_stream(check):
    whole = chat()
    chunks = list(chat(stream=True, stream_options={"include_usage": True}))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    reasons = [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices]
    check.alike(text, whole.choices[0].message.content, "a stream says what a whole answer says")
    check.equal(chunks[0].choices[0].delta.role, "assistant", "the first chunk tells the role")
    check.equal(len({chunk.id for chunk in chunks}), 1, "all chunks have one id")
    check.equal({chunk.object for chunk in chunks}, {"chat.completion.chunk"}, "a chunk says what it is")
    check.equal(reasons, [None] * (len(reasons) - 1) + [whole.choices[0].finish_reason], "only the end has a reason")
    check.that(not chunks[-1].choices and chunks[-1].usage == whole.usage, "usage comes last, without a choice")
    silent = list(chat(stream=True))
    check.that(all(chunk.usage is None and chunk.choices for chunk in silent), "no usage that was not asked for")


def check_stream_helper(check):
    # The helper raises for an answer that its limit cut off: this one ends by itself.
    options = {"model": checks.CHAT, "messages": QUESTION, "temperature": 0, "stop": ["."]}
    with client.chat.completions.stream(**options) as stream:
        events = list(stream)
        final = stream.get_final_completion()
    deltas = "".join(event.delta for event in events if event.type == "content.delta")
    done = [event.content for event in events if event.type == "content.done"]
    check.equal([deltas], done, "the streaming helper's pieces are its whole")
    check.equal(final.choices[0].message.content, deltas, "the streaming helper's completion says the same")


def check_tools(check):
    required = chat(messages=WEATHER, tools=TOOLS, tool_choice="required", max_tokens=TOKENS)
    choice = required.choices[0]
    check.equal(choice.finish_reason, "tool_calls", "required ends with tool_calls")
    well_formed_calls(check, choice.message.tool_calls, "required")
    named = {"type": "function", "function": {"name": "time"}}
    calls = chat(messages=WEATHER, tools=TOOLS, tool_choice=named, max_tokens=TOKENS).choices[0].message.tool_calls
    check.equal({call.function.name for call in calls or []}, {"time"}, "a named function is called")
    well_formed_calls(check, calls, "named")
    one = chat(messages=WEATHER, tools=TOOLS, tool_choice="required", parallel_tool_calls=False, max_tokens=TOKENS)
    check.equal(len(one.choices[0].message.tool_calls or []), 1, "without parallel calls there is one")
    none = chat(messages=WEATHER, tools=TOOLS, tool_choice="none").choices[0]
    check.that(not none.message.tool_calls and none.message.content, "none calls nothing", none.message)
    auto = chat(messages=WEATHER, tools=TOOLS, tool_choice="auto", max_tokens=TOKENS).choices[0]
    check.that(auto.message.content or auto.message.tool_calls, "auto answers or calls", auto.message)
    check.equal(auto.finish_reason == "tool_calls", bool(auto.message.tool_calls), "auto's reason tells which")
    if auto.message.tool_calls:
        well_formed_calls(check, auto.message.tool_calls, "auto")
    tool_answers(check, choice.message)


def well_formed_calls(check, calls, choice: str):
    check.that(calls, f"{choice}: there is a call")
    check.equal(len({call.id for call in calls or []}), len(calls or []), f"{choice}: ids of calls are unique")
    for call in calls or []:
        check.that(call.id and call.type == "function" and call.function.name in NAMES, f"{choice}: a known function", call)
        arguments = call.function.arguments
        fits = obeys(Weather, arguments) if call.function.name == "weather" else json.loads(arguments)["zone"] in ("UTC", "CET")
        check.that(fits, f"{choice}: arguments obey the strict schema", arguments)


def tool_answers(check, message):
    results = [{"role": "tool", "tool_call_id": call.id, "content": "18 degrees"} for call in message.tool_calls]
    turn = [*WEATHER, message.model_dump(exclude_none=True), *results]
    answer = chat(messages=turn, tools=TOOLS)
    check.that(answer.choices[0].message.content or answer.choices[0].message.tool_calls, "a result is answered")
    stray = [*WEATHER, {"role": "tool", "tool_call_id": "call_none", "content": "18"}]
    check.refused(lambda: chat(messages=stray, tools=TOOLS), 400, "a result without its call is refused", "messages")


def check_tools_stream(check):
    chunks = list(chat(messages=WEATHER, tools=TOOLS, tool_choice="required", max_tokens=TOKENS, stream=True))
    calls, reasons = {}, [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices]
    for piece in (call for chunk in chunks if chunk.choices for call in chunk.choices[0].delta.tool_calls or []):
        name, arguments, identity = calls.get(piece.index, ("", "", ""))
        calls[piece.index] = (name + (piece.function.name or ""), arguments + (piece.function.arguments or ""),
                              identity + (piece.id or ""))
    check.equal(reasons[-1], "tool_calls", "a streamed call ends with tool_calls")
    check.equal(sorted(calls), list(range(len(calls))), "streamed calls are counted from 0")
    check.that(calls and all(name in NAMES and identity for name, _, identity in calls.values()), "streamed calls have name and id once", calls)
    check.that(all(isinstance(json.loads(arguments), dict) for _, arguments, _ in calls.values()), "their pieces make JSON", calls)
    tools = [openai.pydantic_function_tool(Weather)]
    with client.chat.completions.stream(model=checks.CHAT, messages=WEATHER, tools=tools, tool_choice="required",
                                        max_tokens=TOKENS, temperature=0) as stream:
        done = [event for event in stream if event.type == "tool_calls.function.arguments.done"]
    check.that(done and all(isinstance(event.parsed_arguments, Weather) for event in done), "the helper parses calls", done)


def check_structured(check):
    question = [{"role": "user", "content": PERSON_QUESTION}]
    options = {"model": checks.CHAT, "messages": question, "temperature": 0, "max_tokens": TOKENS}
    parsed = client.chat.completions.parse(**options, response_format=Person).choices[0]
    check.that(isinstance(parsed.message.parsed, Person), "parse gives the pydantic model", parsed.message)
    check.that(obeys(Person, parsed.message.content), "the text obeys the schema", parsed.message.content)
    check.equal(parsed.finish_reason, "stop", "a whole object ends with stop")
    with client.chat.completions.stream(**options, response_format=Person) as stream:
        final = [event.parsed for event in stream if event.type == "content.done"]
    check.that(final and isinstance(final[0], Person), "the streaming helper parses too", final)
    random = client.chat.completions.parse(**{**options, "temperature": 1.5, "seed": 3}, response_format=Person, n=2)
    check.that(all(isinstance(choice.message.parsed, Person) for choice in random.choices), "hot answers obey too")
    called = client.chat.completions.parse(**{**options, "messages": WEATHER}, tool_choice="required",
                                           tools=[openai.pydantic_function_tool(Weather)]).choices[0]
    arguments = [call.function.parsed_arguments for call in called.message.tool_calls or []]
    check.that(arguments and all(isinstance(found, Weather) for found in arguments), "parse parses calls", arguments)
    loose = chat(messages=question, response_format={"type": "json_object"}, max_tokens=TOKENS).choices[0]
    check.that(loose.message.content.lstrip().startswith("{"), "json_object begins an object", loose.message.content)
    if loose.finish_reason == "stop":
        check.that(isinstance(json.loads(loose.message.content), dict), "json_object ends it, too")
    wrong = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "nonsense"}}}
    check.refused(lambda: chat(response_format=wrong), 400, "an impossible schema is refused", "response_format")


def check_choices(check):
    two = chat(n=2, temperature=1, seed=5)
    check.equal([choice.index for choice in two.choices], [0, 1], "n=2 gives two choices in order")
    check.that(adds_up(two.usage) and two.usage.completion_tokens <= 48, "usage counts both", two.usage)
    check.equal(two.usage.prompt_tokens, chat().usage.prompt_tokens, "usage counts the prompt once")
    # From the second time on the prompt comes from the cache, and the batch is the same.
    once, again = [chat(temperature=1, seed=5) for _ in range(3)][1:]
    check.equal(once.choices[0].message.content, again.choices[0].message.content, "a seed repeats")
    ends = {}
    for chunk in chat(n=2, temperature=1, stream=True):
        for choice in chunk.choices:
            if choice.finish_reason:
                ends[choice.index] = ends.get(choice.index, 0) + 1
    check.equal(ends, {0: 1, 1: 1}, "both choices of a stream end once")


def check_logprobs(check):
    answer = chat(logprobs=True, top_logprobs=3, max_tokens=8)
    entries, text = answer.choices[0].logprobs.content, answer.choices[0].message.content
    check.that(len(entries) in (answer.usage.completion_tokens, answer.usage.completion_tokens - 1),
               "a log probability for each token (the end's may be left out)", len(entries))
    check.equal(b"".join(bytes(entry.bytes) for entry in entries).decode(), text, "their bytes are the text")
    check.that(all(entry.logprob <= 0 for entry in entries), "no probability is above 1")
    tops = [[top.logprob for top in entry.top_logprobs] for entry in entries]
    check.that(all(len(top) == 3 and top == sorted(top, reverse=True) for top in tops), "the top three, best first", tops)
    check.that(all(abs(entry.logprob - top[0]) < 1e-4 for entry, top in zip(entries, tops)), "greedy takes the best")
    chunks = list(chat(logprobs=True, max_tokens=8, stream=True))
    streamed = [entry.token for chunk in chunks if chunk.choices and chunk.choices[0].logprobs
                for entry in chunk.choices[0].logprobs.content or []]
    check.equal(streamed, [entry.token for entry in entries], "a stream carries them too")
    check.equal(chat().choices[0].logprobs, None, "none without being asked")
    check.refused(lambda: chat(top_logprobs=2), 400, "top_logprobs needs logprobs", "logprobs")
    check.refused(lambda: chat(logprobs=True, top_logprobs=21), 400, "at most 20", "top_logprobs")


def check_errors(check):
    check.refused(lambda: chat(model="none"), 404, "an unknown model is refused", "model")
    for field, value in (("temperature", 9), ("top_p", -1), ("n", 0), ("messages", []), ("max_tokens", -1),
                         ("presence_penalty", 5), ("tool_choice", "sometimes"), ("logit_bias", {"a": 1}),
                         ("messages", [{"role": "wizard", "content": "x"}]), ("stop", ["x"] * 100)):
        check.refused(lambda field=field, value=value: chat(**{field: value}), 400, f"{field}={str(value)[:20]} is refused by name", field)
    check.refused(lambda: chat(extra_body={"unheard_of": 1}), 400, "an unknown field is refused", "unheard_of")
    unknown = {"type": "function", "function": {"name": "other"}}
    check.refused(lambda: chat(tools=TOOLS, tool_choice=unknown), 400, "a choice that is no tool is refused", "tool_choice")
    long = [{"role": "user", "content": "word " * 200_000}]
    check.refused(lambda: chat(messages=long), 400, "a prompt longer than the context is refused")


def check_pictures(check):
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PICTURE}", "detail": "low"}}
    words = [{"type": "text", "text": "What is this?"}]

    def ask(shown):
        content = [picture, *words] if shown else words
        return chat(messages=[{"role": "user", "content": content}], max_tokens=4).usage.prompt_tokens

    check.shown(ask, "messages[0].content[0].image_url.url")


checks.run({"plain": check_plain, "pictures": check_pictures, "stream": check_stream, "stream_helper": check_stream_helper,
            "tools": check_tools, "tools_stream": check_tools_stream, "structured": check_structured,
            "choices": check_choices, "logprobs": check_logprobs, "errors": check_errors})
