"""What LangChain's users do, with langchain-openai. See checks.py for the environment."""

import asyncio

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

import checks
from shapes import PERSON_QUESTION, TOKENS, WEATHER_QUESTION, Person, Weather

PLACE = {"base_url": checks.url() + "/v1", "api_key": checks.KEY, "max_retries": 0}
QUESTION = "Tell me about foxes."


def chat(**options) -> ChatOpenAI:
    return ChatOpenAI(**{"model": checks.CHAT, "temperature": 0, "max_tokens": 24, **PLACE, **options})


def check_invoke(check):
    answer = chat().invoke([SystemMessage("You are helpful."), HumanMessage(QUESTION)])
    check.that(isinstance(answer, AIMessage) and answer.content, "invoke answers", answer)
    usage = answer.usage_metadata
    check.equal(usage["total_tokens"], usage["input_tokens"] + usage["output_tokens"], "usage adds up")
    check.that(answer.response_metadata["finish_reason"] in ("stop", "length"), "the reason is told", answer.response_metadata)
    answers = chat().batch([QUESTION] * 3)
    check.equal(len({answer.id for answer in answers}), 3, "a batch gives an answer each")
    check.that(asyncio.run(chat().ainvoke(QUESTION)).content, "ainvoke answers")


def check_stream(check):
    pieces = list(chat(stream_usage=True).stream(QUESTION))
    whole = pieces[0]
    for piece in pieces[1:]:
        whole += piece
    check.alike(whole.content, chat().invoke(QUESTION).content, "a stream says what invoke says")
    check.that(whole.usage_metadata["output_tokens"] > 0, "a stream tells usage", whole.usage_metadata)


def check_structured(check):
    for method in ("json_schema", "function_calling"):
        model = chat(max_tokens=TOKENS).with_structured_output(Person, method=method)
        check.that(isinstance(model.invoke(PERSON_QUESTION), Person), f"with_structured_output by {method}")
    raw = chat(max_tokens=TOKENS).with_structured_output(Person, include_raw=True).invoke(PERSON_QUESTION)
    check.that(raw["parsing_error"] is None and isinstance(raw["parsed"], Person), "with the raw answer, too", raw)


def check_tools(check):
    model = chat(max_tokens=TOKENS).bind_tools([Weather], tool_choice="any")
    answer = model.invoke(WEATHER_QUESTION)
    check.that(answer.tool_calls, "a bound tool is called", answer)
    check.equal({call["name"] for call in answer.tool_calls}, {"Weather"}, "by its name")
    check.that(not answer.invalid_tool_calls, "no call is invalid", answer.invalid_tool_calls)
    results = [ToolMessage("18 degrees", tool_call_id=call["id"]) for call in answer.tool_calls]
    after = chat().bind_tools([Weather]).invoke([HumanMessage(WEATHER_QUESTION), answer, *results])
    check.that(after.content or after.tool_calls, "a result is answered", after)
    pieces = list(model.stream(WEATHER_QUESTION))
    whole = pieces[0]
    for piece in pieces[1:]:
        whole += piece
    check.that(whole.tool_calls and not whole.invalid_tool_calls, "streamed calls come together", whole.tool_calls)


def check_embeddings(check):
    # The package would tokenize for OpenAI's own models otherwise, as its manual says.
    model = OpenAIEmbeddings(model=checks.EMBED, check_embedding_ctx_length=False, **PLACE)
    vectors = model.embed_documents(["one text", "another"])
    check.equal(len(vectors), 2, "documents become vectors")
    one = model.embed_query("one text")
    check.that(all(abs(a - b) < 1e-4 for a, b in zip(one, vectors[0], strict=True)), "a query becomes the same vector")


def check_errors(check):
    check.refused(lambda: chat(model="none").invoke(QUESTION), 404, "an unknown model is refused")


checks.run({"invoke": check_invoke, "stream": check_stream, "structured": check_structured, "tools": check_tools,
            "embeddings": check_embeddings, "errors": check_errors})
