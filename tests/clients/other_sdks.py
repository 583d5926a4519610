"""Other people's clients against a running node: Anthropic's SDK, LangChain, LiteLLM.

    other_sdks.py BASE_URL anthropic|langchain|litellm

Each needs its package in the Python that runs this; they do not all fit into one environment.
"""
import json
import sys


def check(condition, what):
    if not condition:
        sys.exit(f"FAILED: {what}")
    print(f"ok: {what}")


def check_anthropic(url):
    import anthropic

    client = anthropic.Anthropic(base_url=url, api_key="none", max_retries=0)
    ask = dict(model="chat", max_tokens=40, extra_body={"temperature": 0},
               messages=[{"role": "user", "content": "What is the capital of France? One sentence."}])
    whole = client.messages.create(**ask)
    text = whole.content[0].text
    check("Paris" in text and whole.stop_reason == "end_turn", "a question is answered")
    with client.messages.stream(**ask) as stream:
        streamed = "".join(stream.text_stream)
        final = stream.get_final_message()
    check(streamed == text, "the stream says the same")
    check(final.usage.output_tokens == whole.usage.output_tokens, "and counts the same")
    tool = {"name": "weather", "description": "Weather of a city", "input_schema": {
        "type": "object", "required": ["city"], "additionalProperties": False,
        "properties": {"city": {"type": "string", "maxLength": 16}}}}
    ask["messages"] = [{"role": "user", "content": "Weather in Rome?"}]
    ask["max_tokens"] = 80
    called = client.messages.create(**ask, tools=[tool], tool_choice={"type": "any"})
    use = [block for block in called.content if block.type == "tool_use"][0]
    check(called.stop_reason == "tool_use" and "city" in use.input, "a demanded tool is used")
    messages = ask["messages"] + [
        {"role": "assistant", "content": [block.model_dump() for block in called.content]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": use.id, "content": "31 degrees"}]}]
    after = client.messages.create(**{**ask, "messages": messages}, tools=[tool],
                                   tool_choice={"type": "none"})
    check(after.content and after.content[0].type == "text", "an answer follows a tool's result")
    counted = client.messages.count_tokens(model="chat", messages=ask["messages"])
    plain = client.messages.create(**ask)
    used = plain.usage.input_tokens + (plain.usage.cache_read_input_tokens or 0)
    check(counted.input_tokens == used, "tokens are counted as they are used")
    try:
        client.messages.create(**{**ask, "extra_body": {"temperature": 7}})
        sys.exit("FAILED: a wrong temperature was taken")
    except anthropic.BadRequestError as error:
        check("temperature" in str(error), "a wrong temperature is refused by name")


def check_langchain(url):
    from langchain_openai import ChatOpenAI, OpenAIEmbeddings
    from pydantic import BaseModel, Field

    class Pet(BaseModel):
        """A pet."""

        name: str = Field(max_length=12)
        age: int = Field(ge=0, le=30)

    options = dict(base_url=f"{url}/v1", api_key="none", model="chat", temperature=0, max_retries=0)
    chat = ChatOpenAI(**options, max_tokens=60)
    answer = chat.invoke("What is the capital of France? One sentence.")
    check("Paris" in answer.content, "a question is answered")
    streamed = "".join(chunk.content for chunk in chat.stream("What is the capital of France? One sentence."))
    check(streamed == answer.content, "the stream says the same")
    for method in ("json_schema", "function_calling"):
        pet = chat.with_structured_output(Pet, method=method).invoke("Invent a pet.")
        check(isinstance(pet, Pet), f"structured output by {method}")
    bound = chat.bind_tools([Pet], tool_choice="required", parallel_tool_calls=False)
    called = bound.invoke("Invent a pet.")
    check(called.tool_calls[0]["name"] == "Pet", "a bound tool is called")
    embeddings = OpenAIEmbeddings(base_url=f"{url}/v1", api_key="none", model="embed",
                                  check_embedding_ctx_length=False)
    check(len(embeddings.embed_documents(["a", "b"])[1]) == 384, "documents are embedded")


def check_litellm(url):
    import litellm

    options = dict(model="openai/chat", api_base=f"{url}/v1", api_key="none", temperature=0,
                   messages=[{"role": "user", "content": "What is the capital of France? One sentence."}],
                   max_tokens=40, num_retries=0)
    answer = litellm.completion(**options)
    text = answer.choices[0].message.content
    check("Paris" in text, "a question is answered")
    chunks = litellm.completion(**options, stream=True)
    streamed = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    check(streamed == text, "the stream says the same")
    schema = {"type": "object", "required": ["city"], "additionalProperties": False,
              "properties": {"city": {"type": "string", "maxLength": 16}}}
    formed = litellm.completion(**options, response_format={
        "type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": schema}})
    check("city" in json.loads(formed.choices[0].message.content), "a schema is obeyed")
    vectors = litellm.embedding(model="openai/embed", api_base=f"{url}/v1", api_key="none",
                                input=["a", "b"], encoding_format="float")
    check(len(vectors.data) == 2, "texts are embedded")


def main():
    url, which = sys.argv[1:]
    {"anthropic": check_anthropic, "langchain": check_langchain, "litellm": check_litellm}[which](url)
    print("all checks passed")


main()
