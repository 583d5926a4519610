"""Whether a JSON text obeys a schema: the keywords of our own schema, and no others."""

import json

KNOWN = {"type", "properties", "required", "additionalProperties", "maxLength", "minimum", "maximum", "enum",
         "items", "minItems", "maxItems"}
TYPES = {"object": dict, "array": list, "string": str, "integer": int}


def obeys(text: str, schema: dict) -> bool:
    try:
        return _fits(json.loads(text), schema)
    except json.JSONDecodeError:
        return False


def _fits(value, schema: dict) -> bool:
    if unknown := schema.keys() - KNOWN:
        raise ValueError(f"this check does not know {sorted(unknown)}")
    kind = TYPES[schema["type"]]
    if not isinstance(value, kind) or isinstance(value, bool):
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    return {dict: _object_fits, list: _array_fits, str: _string_fits, int: _integer_fits}[kind](value, schema)


def _object_fits(value: dict, schema: dict) -> bool:
    known = schema["properties"]
    return (all(name in value for name in schema["required"])
            and all(name in known for name in value)
            and all(_fits(inner, known[name]) for name, inner in value.items()))


def _array_fits(value: list, schema: dict) -> bool:
    return (schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value))
            and all(_fits(inner, schema["items"]) for inner in value))


def _string_fits(value: str, schema: dict) -> bool:
    return len(value) <= schema.get("maxLength", len(value))


def _integer_fits(value: int, schema: dict) -> bool:
    return schema.get("minimum", value) <= value <= schema.get("maximum", value)
