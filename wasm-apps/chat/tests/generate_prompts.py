#!/usr/bin/env python3
"""Writes prompts.json: what Hugging Face's own code makes of templates/ (needs `transformers`)."""

import json
import pathlib

import transformers
from transformers.utils.chat_template_utils import render_jinja_template

HERE = pathlib.Path(__file__).parent
TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}


def turns(*contents, system=None):
    roles = ("user", "assistant")
    messages = [{"role": "system", "content": system}] if system is not None else []
    return messages + [
        {"role": roles[i % 2], "content": content} for i, content in enumerate(contents)
    ]


CONVERSATIONS = {
    "one question": turns("What is Rust?"),
    "with a system message": turns("What is Rust?", system="You answer in one line."),
    "three turns": turns("Hi!", "Hello, how can I help?", "Sum 1 and 2."),
    "system and five turns": turns("a", "b", "c", "d", "e", system="Be brief."),
    "white space": turns("  two lead, one trails \n", "\n\n tab\there \n", "\r\nend\t"),
    "many scripts": turns("Grüße, 漢字, \U0001f469\u200d\U0001f52c & <b>\"quoted\"</b> '\\n'"),
    "empty texts": turns("", "", ""),
    "jinja in the text": turns("{{ bos_token }} {% if %} {# no #}"),
    "thoughts": turns("Why?", "<think>\nwell\n\n</think>\n\nBecause.", "And now?"),
    "assistant first": [{"role": "assistant", "content": "Hello"}],
    "two users": turns("a") + turns("b"),
    "assistant last": turns("Why?", "<think>so</think>Thus"),
}


def render(template, messages):
    try:
        prompts, _ = render_jinja_template(
            [messages], chat_template=template, add_generation_prompt=True, **TOKENS
        )
        return {"prompt": prompts[0]}
    except Exception as error:  # noqa: BLE001 - whatever the template raises is the expectation
        return {"error": str(error)}


def main():
    templates = sorted(HERE.glob("templates/*.jinja"))
    cases = [
        {"template": path.stem, "conversation": name, **render(path.read_text(), messages)}
        for path in templates
        for name, messages in CONVERSATIONS.items()
    ]
    document = {
        "made_with": f"transformers {transformers.__version__}",
        "tokens": TOKENS,
        "conversations": CONVERSATIONS,
        "cases": cases,
    }
    text = json.dumps(document, ensure_ascii=False, indent=1)
    (HERE / "prompts.json").write_text(text + "\n")


main()
