"""Completions, embeddings and models with the official openai package. See checks.py for the environment."""

import base64
import math
import struct

import openai

import checks

client = openai.OpenAI(base_url=checks.url() + "/v1", api_key=checks.KEY, max_retries=0)
PROMPT = "The quick brown fox"


def complete(**options):
    return client.completions.create(**{
        "model": checks.CHAT, "prompt": PROMPT, "temperature": 0, "max_tokens": 8, **options})


def embed(texts, **options):
    return client.embeddings.create(model=checks.EMBED, input=texts, **options)


def check_completions(check):
    answer = complete()
    check.equal(answer.object, "text_completion", "a completion says what it is")
    check.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens, "usage adds up")
    check.that(answer.id != complete().id, "ids are unique")
    streamed = "".join(chunk.choices[0].text for chunk in complete(stream=True) if chunk.choices)
    check.alike(streamed, answer.choices[0].text, "a stream says the same")
    many = complete(prompt=[PROMPT, "Once upon a time"], n=2, temperature=1, seed=1)
    check.equal([choice.index for choice in many.choices], [0, 1, 2, 3], "two prompts with two choices each")
    echo = complete(echo=True)
    check.equal(echo.choices[0].text, PROMPT + answer.choices[0].text, "echo puts the prompt in front")
    check.refused(lambda: complete(suffix=" jumps."), 400, "a model without infill refuses a suffix", "suffix")
    check.refused(lambda: complete(best_of=3), 400, "best_of beyond n is refused", "best_of")
    check.refused(lambda: complete(max_tokens=0), 400, "no tokens and no echo is refused", "max_tokens")
    check.refused(lambda: complete(prompt=[]), 400, "no prompt is refused", "prompt")


def check_logprobs(check):
    answer = complete(logprobs=2)
    found = answer.choices[0].logprobs
    check.equal("".join(found.tokens), answer.choices[0].text, "the tokens are the text")
    lengths = {len(found.tokens), len(found.token_logprobs), len(found.top_logprobs), len(found.text_offset)}
    check.equal(len(lengths), 1, "the four lists are equally long")
    check.that(all(value <= 0 for value in found.token_logprobs), "no probability is above 1")
    check.that(all(2 <= len(top) <= 3 for top in found.top_logprobs), "two best, and the chosen one", found.top_logprobs)
    alone = complete(logprobs=0).choices[0].logprobs
    chosen = [{token: value} for token, value in zip(alone.tokens, alone.token_logprobs)]
    check.equal(alone.top_logprobs, chosen, "none of the best, and the chosen one")
    scored = complete(echo=True, max_tokens=0, logprobs=1)
    prompt = scored.choices[0].logprobs
    check.equal(scored.choices[0].text, PROMPT, "a prompt can be scored alone")
    check.equal("".join(prompt.tokens), PROMPT, "its tokens are its text")
    check.equal(prompt.token_logprobs[0], None, "nothing precedes the first token")
    check.that(all(value <= 0 for value in prompt.token_logprobs[1:]), "each other token has a score")
    check.equal(prompt.text_offset, sorted(prompt.text_offset), "offsets grow")
    check.equal(scored.usage.completion_tokens, 0, "nothing was generated")
    check.refused(lambda: complete(logprobs=99), 400, "too many are refused", "logprobs")


def check_embeddings(check):
    texts = ["A cat sits on the mat.", "A kitten rests on a rug.", "Interest rates rose."]
    answer = embed(texts, encoding_format="float")
    vectors = [row.embedding for row in answer.data]
    check.equal([row.index for row in answer.data], [0, 1, 2], "vectors come in order")
    check.that(all(abs(math.hypot(*vector) - 1) < 1e-3 for vector in vectors), "vectors have length 1")
    check.that(dot(vectors[0], vectors[1]) > dot(vectors[0], vectors[2]), "a paraphrase is nearer")
    check.that(0 < answer.usage.prompt_tokens == answer.usage.total_tokens, "usage counts the texts", answer.usage)
    packed = embed(texts, encoding_format="base64")
    unpacked = [floats(row.embedding) for row in packed.data]
    check.that(all(near(one, two) for one, two in zip(vectors, unpacked)), "base64 holds the same numbers")
    check.that(near(embed(texts[0]).data[0].embedding, vectors[0]), "the package's own choice of format works")
    short = embed(texts, dimensions=64).data[0].embedding
    check.equal(len(short), 64, "dimensions cut the vector")
    scale = math.hypot(*vectors[0][:64])
    check.that(near(short, [x / scale for x in vectors[0][:64]], 1e-3), "and make it long again")
    check.equal(len(embed([[7592, 2088], [1037]]).data), 2, "tokens become vectors")
    check.refused(lambda: embed(texts, dimensions=100_000), 400, "more dimensions than there are", "dimensions")
    check.refused(lambda: embed([]), 400, "no texts", "input")
    check.refused(lambda: embed(["x"] * 2049), 400, "too many texts", "input")
    check.refused(lambda: client.embeddings.create(model=checks.CHAT, input="x"), 400, "a chat model makes no vectors", "model")


def dot(a, b):
    return sum(x * y for x, y in zip(a, b))


def floats(text: str) -> list[float]:
    data = base64.b64decode(text)
    return list(struct.unpack(f"<{len(data) // 4}f", data))


def near(one, two, slack=1e-5) -> bool:
    return len(one) == len(two) and all(abs(a - b) <= slack for a, b in zip(one, two))


def check_models(check):
    names = {model.id for model in client.models.list()}
    check.that({checks.CHAT, checks.EMBED} <= names, "the models are listed", names)
    check.equal(client.models.retrieve(checks.CHAT).id, checks.CHAT, "one is described")
    check.refused(lambda: client.models.retrieve("none"), 404, "an unknown one is not")


checks.run({"completions": check_completions, "logprobs": check_logprobs,
            "embeddings": check_embeddings, "models": check_models})
