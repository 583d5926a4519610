"""Shapes that answers must obey. All is bounded, so that a small model's answer ends in time."""

import json
from typing import Annotated, Literal

from pydantic import BaseModel, Field, ValidationError

Short = Annotated[str, Field(max_length=20)]


class Person(BaseModel):
    """A person."""

    name: Short
    age: Annotated[int, Field(ge=0, le=120)]
    role: Literal["student", "teacher", "doctor"]
    hobbies: Annotated[list[Short], Field(max_length=3)]


class Weather(BaseModel):
    """Tell the weather in a city."""

    city: Short
    unit: Literal["celsius", "fahrenheit"]


PERSON_QUESTION = "Describe a person as JSON: name, age, role and hobbies."
WEATHER_QUESTION = "What is the weather in Paris, in celsius?"
# One red pixel, as a PNG file.
PICTURE = ("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC")
# Room for the longest answer that the shapes allow, with blanks and escapes.
TOKENS = 300

WEATHER_SCHEMA = {**Weather.model_json_schema(), "additionalProperties": False}
WEATHER_TOOL = {"type": "function", "function": {
    "name": "weather", "description": "Tell the weather in a city.", "strict": True, "parameters": WEATHER_SCHEMA}}
TIME_TOOL = {"type": "function", "function": {
    "name": "time", "description": "Tell the time in a zone.", "strict": True, "parameters": {
        "type": "object", "properties": {"zone": {"type": "string", "enum": ["UTC", "CET"]}},
        "required": ["zone"], "additionalProperties": False}}}


def obeys(model: type[BaseModel], text: str) -> bool:
    """Strictly: no value of another type that could be converted."""
    try:
        model.model_validate_json(text, strict=True)
    except ValidationError:
        return False
    return not json.loads(text).keys() - model.model_fields.keys()
