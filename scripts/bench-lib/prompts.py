"""Prompts of a wanted length out of random words: a seed tells which, so both servers get the same."""

import random

# Each is one token for the usual vocabularies of English.
WORDS = ("time person year way day thing man world life hand part child eye woman place work week case point "
         "company number group problem fact house water room mother area money story month lot right study book "
         "word business issue side kind head service friend father power hour game line end member law car city "
         "name team minute idea body back parent face level office door health art war history party result "
         "change morning reason research girl guy moment air teacher force education").split()
# "Request 7. Write a long story with these words:" around the words themselves.
QUESTION_TOKENS = 12


def words(seed: str, count: int) -> str:
    chooser = random.Random(seed)
    return " ".join(chooser.choice(WORDS) for _ in range(max(0, count)))


def question(seed: str, tokens: int) -> str:
    number = random.Random(seed).randrange(1000)
    return f"Request {number}. Write a long story with these words: {words(seed, tokens - QUESTION_TOKENS)}"


def chat(content: str, answer_tokens: int, system: str | None = None) -> dict:
    """A greedy request: both servers compute the same tokens, near ties apart."""
    first = [{"role": "system", "content": system}] if system else []
    messages = [*first, {"role": "user", "content": content}]
    return {"model": "bench", "messages": messages, "max_tokens": answer_tokens, "temperature": 0}
