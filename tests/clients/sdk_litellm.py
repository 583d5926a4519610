"""What LiteLLM's users do. See checks.py for the environment."""

import os

# Otherwise the package asks the internet for prices when it is imported.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm

import checks
from shapes import PERSON_QUESTION, TOKENS, WEATHER_QUESTION, WEATHER_TOOL, Person, Weather, obeys

PLACE = {"api_base": checks.url() + "/v1", "api_key": checks.KEY, "num_retries": 0}
QUESTION = [{"role": "user", "content": "Tell me about foxes."}]


def complete(**options):
    return litellm.completion(**{"model": f"openai/{checks.CHAT}", "messages": QUESTION, "temperature": 0,
                                 "max_tokens": 24, **PLACE, **options})


def check_completion(check):
    answer = complete()
    check.that(answer.choices[0].message.content, "completion answers")
    check.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens, "usage adds up")
    cut = complete(max_tokens=3)
    check.equal((cut.choices[0].finish_reason, cut.usage.completion_tokens), ("length", 3), "max_tokens is exact")
    text = litellm.text_completion(model=f"text-completion-openai/{checks.CHAT}", prompt="The quick", max_tokens=8, **PLACE)
    check.that(text.choices[0].text, "text_completion continues")


def check_stream(check):
    chunks = list(complete(stream=True, stream_options={"include_usage": True}))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    check.alike(text, complete().choices[0].message.content, "a stream says what a completion says")
    built = litellm.stream_chunk_builder(chunks, messages=QUESTION)
    check.equal(built.choices[0].message.content, text, "its chunks can be put together")


def check_tools(check):
    question = [{"role": "user", "content": WEATHER_QUESTION}]
    choice = complete(messages=question, tools=[WEATHER_TOOL], tool_choice="required", max_tokens=TOKENS).choices[0]
    check.equal(choice.finish_reason, "tool_calls", "required ends with tool_calls")
    calls = choice.message.tool_calls or []
    check.that(calls and all(obeys(Weather, call.function.arguments) for call in calls), "its arguments obey", calls)


def check_structured(check):
    question = [{"role": "user", "content": PERSON_QUESTION}]
    answer = complete(messages=question, response_format=Person, max_tokens=TOKENS)
    check.that(obeys(Person, answer.choices[0].message.content), "a pydantic format is obeyed", answer.choices[0].message.content)


def check_embedding(check):
    answer = litellm.embedding(model=f"openai/{checks.EMBED}", input=["one text", "another"], encoding_format="float", **PLACE)
    lengths = {len(row["embedding"]) for row in answer.data}
    check.that(len(answer.data) == 2 and len(lengths) == 1, "texts become vectors", lengths)


def check_errors(check):
    check.refused(lambda: complete(model="openai/none"), 404, "an unknown model is refused")
    check.refused(lambda: complete(temperature=9), 400, "a wrong temperature is refused", "temperature")


checks.run({"completion": check_completion, "stream": check_stream, "tools": check_tools,
            "structured": check_structured, "embedding": check_embedding, "errors": check_errors})
