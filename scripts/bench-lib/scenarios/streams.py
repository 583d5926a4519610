"""Plain streams: so many at once, prompts of 94 tokens with the chat template, greedy answers."""

from functools import partial

import prompts
from load import closed_loop, figures
from scenario import Case, Column, Scenario, Settings
from servers import Setup

# With SmolLM2's template, whose system message takes the other 30.
QUESTION_TOKENS = 64
QUESTION_TOKENS_QUICK = 16
SLOTS_AT_LEAST = 16
SLOT_TOKENS = 1024


def cases(settings: Settings) -> list[Case]:
    return [Case(Setup("chat", max(SLOTS_AT_LEAST, level), SLOT_TOKENS), (f"{level} at once",),
                 partial(measure, level)) for level in settings.levels]


async def measure(level: int, server, seed: str, settings: Settings) -> dict:
    tokens = settings.scaled(QUESTION_TOKENS, QUESTION_TOKENS_QUICK)
    bodies = [prompts.chat(prompts.question(f"{seed} {level} {number}", tokens), settings.answer_tokens)
              for number in range(max(level, settings.requests))]
    return {f"{level} at once": figures(await closed_loop(server, bodies, level))}


SCENARIO = Scenario(
    name="streams",
    title="Streams at once",
    columns=(
        Column("tokens/s", "tokens_per_s"),
        Column("first token p50, ms", "first_p50_ms", 0),
        Column("p95", "first_p95_ms", 0),
        Column("between pieces p50, ms", "gap_p50_ms"),
        Column("per token p50, ms", "per_token_p50_ms"),
        Column("CPU s per 1000 tokens", "cpu_s_per_1000_tokens"),
        Column("prompt tokens", "prompt_tokens", 0, ratio=False),
        Column("cached", "cached_tokens", 0, ratio=False),
        Column("answer tokens", "answer_tokens", 0, ratio=False),
    ),
    cases=cases,
)
