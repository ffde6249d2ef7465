"""Real servers with tiny models, without a download, for tests and benchmarks of language models."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from gennas.errors import GennasError

__all__ = ["llama_server", "transformers_server", "write_gguf", "write_pretrained"]

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


def write_pretrained(folder: Path, flat: bool = False, context: int = 2048, seed: int = 0) -> None:
    """Write a Llama of two layers with 32 channels, a tokenizer of single bytes, and a chat template, as a folder.

    Args:
        folder: where to; ``transformers`` and ``local:FOLDER`` open it.
        flat: with an output layer of zeros, so that every token is equally likely. Else its weights are random.
        context: its longest text in tokens.
        seed: of the weights.
    """
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    pieces = ["<s>", "</s>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    letters = Tokenizer(models.BPE(vocab={piece: i for i, piece in enumerate(pieces)}, merges=[]))
    letters.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    letters.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=letters, bos_token="<s>", eos_token="</s>", pad_token="</s>", chat_template=TEMPLATE
    )
    config = LlamaConfig(
        vocab_size=len(pieces), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=context, initializer_range=0.1, bos_token_id=0, eos_token_id=1, pad_token_id=1,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
    if flat:
        torch.nn.init.zeros_(model.lm_head.weight)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@contextmanager
def transformers_server(folder: Path, patience: float = 120.0) -> Iterator[str]:
    """The address of ``transformers serve`` on loopback, a process of its own that ends with the block.

    It needs ``fastapi``, ``uvicorn`` and ``openai``, as the extra ``serving`` of ``transformers`` has them.

    Args:
        folder: a model, such as :func:`write_pretrained` writes; its path is the model's name on the server.
        patience: seconds until it has to answer.

    Raises:
        GennasError: it ended, or did not answer in time; with the end of what it wrote.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log, url = folder / "serve.log", f"http://127.0.0.1:{port}"
    words = ["serve", str(folder), "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    code = "from transformers.cli.transformers import app; app()"
    settings = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with log.open("w") as out:
        server = subprocess.Popen(
            [sys.executable, "-c", code, *words], stdout=out, stderr=out, env=os.environ | settings
        )  # fmt: skip
    try:
        _wait_for(server, f"{url}/health", patience, log)
        yield url
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait_for(server: subprocess.Popen[bytes], url: str, patience: float, log: Path) -> None:
    """Return when a server answers."""
    end = time.monotonic() + patience
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    happened = "did not answer" if server.poll() is None else f"ended with status {server.returncode}"
    raise GennasError(f"transformers serve {happened}: {log.read_text()[-500:]}")
