"""JSON that obeys a schema: how fast, and how often does the answer really validate?"""

import random
from functools import partial

import prompts
import schema
from load import closed_loop, figures
from scenario import Case, Column, Scenario, Settings
from servers import Setup

# The longest JSON that the schema allows fits in.
ANSWER_TOKENS = 256

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 24},
        "age": {"type": "integer", "minimum": 0, "maximum": 120},
        "role": {"type": "string", "enum": ["student", "teacher", "doctor", "driver"]},
        "city": {"type": "string", "maxLength": 24},
        "hobbies": {"type": "array", "items": {"type": "string", "maxLength": 16}, "minItems": 1, "maxItems": 4},
    },
    "required": ["name", "age", "role", "city", "hobbies"],
    "additionalProperties": False,
}
FORMAT = {"type": "json_schema", "json_schema": {"name": "person", "strict": True, "schema": PERSON}}


def cases(settings: Settings) -> list[Case]:
    levels = (1, settings.scaled(8, 2))
    return [Case(Setup("chat", 16, 1024), (f"{level} at once",), partial(measure, level)) for level in levels]


async def measure(level: int, server, seed: str, settings: Settings) -> dict:
    count = max(level, settings.requests)
    run = await closed_loop(server, [_request(f"{seed} {level} {number}") for number in range(count)], level)
    found = figures(run)
    found["valid_percent"] = 100 * sum(schema.obeys(answer.text, PERSON) for answer in run.good) / len(run.answers)
    return {f"{level} at once": found}


def _request(seed: str) -> dict:
    word = random.Random(seed).choice(prompts.WORDS)
    question = f"Describe a person whose life is about '{word}' as JSON with name, age, role, city and hobbies."
    return {**prompts.chat(question, ANSWER_TOKENS), "response_format": FORMAT}


SCENARIO = Scenario(
    name="structured",
    title="JSON by a schema of five fields",
    columns=(
        Column("tokens/s", "tokens_per_s"),
        Column("first token p50, ms", "first_p50_ms", 0),
        Column("whole answer p50, ms", "whole_p50_ms", 0),
        Column("p95", "whole_p95_ms", 0),
        Column("answer tokens", "answer_tokens", 0, ratio=False),
        Column("valid, % of requests", "valid_percent", 0, ratio=False),
    ),
    cases=cases,
)
