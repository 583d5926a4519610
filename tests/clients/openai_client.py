"""Drives a node with the official openai package. Usage: openai_client.py http://HOST:PORT"""

import sys

import openai

QUESTION = [{"role": "user", "content": "What is the capital of France? One sentence."}]


def check(condition, what):
    if not condition:
        sys.exit(f"FAILED: {what}")
    print(f"ok: {what}")


def chat(client, **options):
    defaults = {"model": "chat", "messages": QUESTION, "temperature": 0, "max_tokens": 24}
    return client.chat.completions.create(**{**defaults, **options})


def check_chat(client):
    whole = chat(client)
    text = whole.choices[0].message.content
    check("Paris" in text, "a question is answered")
    chunks = list(chat(client, stream=True, stream_options={"include_usage": True}))
    streamed = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    check("Paris" in streamed, "the stream answers too")
    check(chunks[-1].usage.prompt_tokens == whole.usage.prompt_tokens, "usage ends the stream")
    reasons = [c.choices[0].finish_reason for c in chunks if c.choices]
    check(reasons[-1] == whole.choices[0].finish_reason, "the stream has the same finish_reason")
    cut = chat(client, max_tokens=3)
    check(cut.choices[0].finish_reason == "length", "max_tokens ends with length")
    check(cut.usage.completion_tokens == 3, "max_tokens is exact")
    stopped = chat(client, stop=["Paris"])
    check(stopped.choices[0].finish_reason == "stop", "stop ends with stop")
    check("Paris" not in stopped.choices[0].message.content, "the stop string is not in the answer")
    story = {"temperature": 1, "seed": 5, "messages": [{"role": "user", "content": "A story, please."}]}
    same = {chat(client, **story).choices[0].message.content for _ in range(2)}
    check(len(same) == 1, "the same seed gives the same text")


def check_embeddings(client):
    texts = [f"Sentence {i}" for i in range(253)]
    texts += ["A cat sits on the mat.", "A kitten rests on a rug.", "Interest rates rose."]
    answer = client.embeddings.create(model="embed", input=texts)
    vectors = [row.embedding for row in answer.data]
    check(len(vectors) == 256 and len(vectors[0]) == 384, "256 texts in one call")
    cat, kitten, rates = vectors[-3:]
    check(dot(cat, kitten) > dot(cat, rates), "a paraphrase is nearer than another subject")


def dot(a, b):
    return sum(x * y for x, y in zip(a, b))


def check_errors(client):
    try:
        chat(client, model="none")
        sys.exit("FAILED: an unknown model is refused")
    except openai.NotFoundError as error:
        check(error.code == "model_not_found", "an unknown model is refused")
    try:
        chat(client, temperature=9)
        sys.exit("FAILED: a wrong temperature is refused")
    except openai.BadRequestError as error:
        check(error.param == "temperature", "a wrong temperature is refused by name")


def main():
    client = openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key="none", max_retries=0)
    check({m.id for m in client.models.list()} == {"chat", "embed"}, "the models are listed")
    check(client.models.retrieve("chat").id == "chat", "one model is described")
    check_chat(client)
    check_embeddings(client)
    check_errors(client)
    print("all checks passed")


main()
