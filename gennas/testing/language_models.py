"""A real llama.cpp server with a tiny model, without a download, for tests and benchmarks of language models."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

__all__ = ["llama_server", "write_gguf"]

TEMPLATE = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant: "


def write_gguf(file: Path, flat: bool = False, context: int = 8192, seed: int = 0) -> None:
    """Write a Llama of two layers with 64 channels, a tokenizer of single bytes and letters, and a chat template.

    Args:
        file: where to.
        flat: with an output layer of zeros, so that every token is equally likely: a model that knows nothing. Else its
            weights are random.
        context: tokens that it was trained for, as its file says.
        seed: of the weights.
    """
    import gguf

    rng = np.random.default_rng(seed)
    dim, layers, heads, hidden = 64, 2, 2, 128
    letters = [chr(c) if c != 32 else "▁" for c in range(32, 127)]
    tokens = [b"<unk>", b"<s>", b"</s>", *(f"<0x{i:02X}>".encode() for i in range(256)), *(c.encode() for c in letters)]
    kinds = gguf.TokenType
    types = [kinds.UNKNOWN, kinds.CONTROL, kinds.CONTROL, *[kinds.BYTE] * 256, *[kinds.NORMAL] * len(letters)]
    writer = gguf.GGUFWriter(str(file), "llama")
    writer.add_name("tiny")
    writer.add_context_length(context)
    writer.add_embedding_length(dim)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(hidden)
    writer.add_head_count(heads)
    writer.add_head_count_kv(heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(dim // heads)
    writer.add_vocab_size(len(tokens))
    writer.add_file_type(0)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * 259 + [-1.0 - i for i in range(len(letters))])
    writer.add_token_types(types)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_chat_template(TEMPLATE)
    shapes = {"token_embd.weight": (len(tokens), dim), "output.weight": (len(tokens), dim)}
    norms = ["output_norm.weight"]
    for layer in range(layers):
        block = f"blk.{layer}."
        norms += [f"{block}attn_norm.weight", f"{block}ffn_norm.weight"]
        shapes |= {f"{block}attn_{part}.weight": (dim, dim) for part in ("q", "k", "v", "output")}
        shapes |= {f"{block}ffn_{part}.weight": (hidden, dim) for part in ("gate", "up")}
        shapes[f"{block}ffn_down.weight"] = (dim, hidden)
    for name in norms:
        writer.add_tensor(name, np.ones(dim, np.float32))
    for name, shape in shapes.items():
        scale = 0.0 if flat and name == "output.weight" else 0.3
        writer.add_tensor(name, (rng.standard_normal(shape) * scale).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@contextmanager
def llama_server(folder: Path, flat: bool = False, context: int = 2048, slots: int = 4, key: str = "") -> Iterator[str]:
    """The address of a server on loopback, in this process, with one thread.

    Args:
        folder: where its model is written.
        flat: as :func:`write_gguf`.
        context: tokens of each slot.
        slots: requests at a time.
        key: the key that it demands; empty: none.
    """
    import xllamacpp

    file = folder / ("flat.gguf" if flat else "random.gguf")
    if not file.exists():
        write_gguf(file, flat)
    settings = xllamacpp.CommonParams()
    settings.model.path = str(file)
    settings.n_ctx, settings.n_parallel = context * slots, slots
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = 1
    settings.n_gpu_layers, settings.warmup, settings.verbosity = 0, False, 0
    if key:
        settings.api_keys = [key]
    server = xllamacpp.Server(settings)
    yield str(server.listening_address)
    del server
