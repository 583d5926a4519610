"""Ways to spoil a request: of its JSON tree, or of its bytes."""

import copy
import json
import random

# Numbers that a parser may accept and an i64, u32 or f32 may not, and some that are no JSON.
NUMBERS = ["1e999", "-1e999", "1e308", str(10**30), str(-10**30), str(2**64), str(2**63), str(2**31), "-1", "-0.0",
           "0.1", "1e-320", "NaN", "Infinity", "0x10", "01", "1.", "9" * 5000]
OTHERS = [None, True, False, 0, -1, 1.5, "", "x", [], {}, [None], [[]], {"": {}}, {"type": "object"}, "\u0000", "\ud800",
          "<|im_end|>", "../../etc/passwd", "\u202e\u200b", "😀" * 50]
DEPTHS = [50, 130, 1_000, 100_000]
LONG = 1 << 20
MARK = '"@mark@"'


def mutate(chooser: random.Random, body: bytes) -> bytes:
    """One to three mutations, those of bytes last: they leave nothing to parse."""
    try:
        tree = json.loads(body)
    except ValueError:
        return _of_bytes(chooser, body)
    for _ in range(chooser.choice([1, 1, 1, 2, 3])):
        body = chooser.choice(TREE)(chooser, tree)
        try:
            tree = json.loads(body)
        except (ValueError, RecursionError):
            return body
    return _of_bytes(chooser, body) if chooser.random() < 0.1 else body


def _of_bytes(chooser: random.Random, body: bytes) -> bytes:
    return chooser.choice(BYTES)(chooser, body)


def _places(tree, found: list) -> list:
    """Every place of a value, as its container and the key or index there."""
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in inner:
        found.append((tree, key))
        _places(value, found)
    return found


def _with(tree, chooser: random.Random, text: str) -> bytes:
    """The tree with one value replaced by JSON text, which may be wrong."""
    tree = copy.deepcopy(tree)
    places = _places(tree, [])
    if not places:
        return text.encode("utf-8", "surrogatepass")
    container, key = chooser.choice(places)
    container[key] = "@mark@"
    return json.dumps(tree).replace(MARK, text).encode("utf-8", "surrogatepass")


def wrong_type(chooser, tree) -> bytes:
    return _with(tree, chooser, json.dumps(chooser.choice(OTHERS), ensure_ascii=chooser.random() < 0.5))


def odd_number(chooser, tree) -> bytes:
    return _with(tree, chooser, chooser.choice(NUMBERS))


def deep(chooser, tree) -> bytes:
    depth = chooser.choice(DEPTHS)
    opening, closing = chooser.choice([("[", "]"), ('{"a":', "}")])
    return _with(tree, chooser, opening * depth + "1" + closing * depth)


def long_text(chooser, tree) -> bytes:
    unit = chooser.choice(["a", "word ", "é", "\\u0000", "\\n", "<|im_start|>"])
    return _with(tree, chooser, '"' + unit * (LONG // len(unit)) + '"')


def long_list(chooser, tree) -> bytes:
    return _with(tree, chooser, "[" + ",".join(["1"] * 100_000) + "]")


def without_key(chooser, tree) -> bytes:
    tree = copy.deepcopy(tree)
    if places := _places(tree, []):
        container, key = chooser.choice(places)
        del container[key]
    return json.dumps(tree).encode()


def unknown_key(chooser, tree) -> bytes:
    tree = copy.deepcopy(tree)
    objects = [tree] if isinstance(tree, dict) else []
    objects += [container[key] for container, key in _places(tree, []) if isinstance(container[key], dict)]
    if objects:
        chooser.choice(objects)[chooser.choice(["unheard_of", "", "__proto__", "model ", "Model"])] = chooser.choice(OTHERS)
    return json.dumps(tree).encode()


def doubled_key(chooser, tree) -> bytes:
    """The same key twice in one object, the second time with another value."""
    if not isinstance(tree, dict) or not tree:
        return json.dumps([tree, tree]).encode()
    key = chooser.choice(list(tree))
    again = f"{json.dumps(key)}: {json.dumps(chooser.choice([tree[key], *OTHERS]))}"
    return (json.dumps(tree)[:-1] + ", " + again + "}").encode()


def truncated(chooser, body: bytes) -> bytes:
    return body[:chooser.randrange(max(1, len(body)))]


def invalid_utf8(chooser, body: bytes) -> bytes:
    place = chooser.randrange(max(1, len(body)))
    bad = chooser.choice([b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\xaf", b"\x00"])
    return body[:place] + bad + body[place:]


def flipped(chooser, body: bytes) -> bytes:
    spoilt = bytearray(body)
    for _ in range(chooser.choice([1, 2, 8])):
        if spoilt:
            spoilt[chooser.randrange(len(spoilt))] ^= 1 << chooser.randrange(8)
    return bytes(spoilt)


def twice(_, body: bytes) -> bytes:
    return body + body


TREE = [wrong_type, wrong_type, wrong_type, odd_number, odd_number, deep, long_text, long_list, without_key,
        without_key, unknown_key, doubled_key]
BYTES = [truncated, truncated, invalid_utf8, flipped, twice]
