"""Tests of the published sub-transformers: all 44 against the counts of the published file."""

from __future__ import annotations

import json
from pathlib import Path

from gennas.graph import Population
from gennas.spaces import HAT
from gennas.spaces.hat.published import IWSLT, WMT

SPACES = {True: HAT("iwslt"), False: HAT()}


def test_all_44_have_the_published_number_of_parameters(shared_data: Path) -> None:
    records = json.loads((shared_data / "published_architectures.json").read_text())["hat"]
    texts = WMT | IWSLT
    assert len(records) == len(texts) == 44
    for record in records:
        name = record["name"].removeprefix("HAT_")
        space = SPACES[name in IWSLT]
        arch = space.from_text(texts[name])
        keys = ("encoder_embed", "decoder_embed")
        fields = {key: record[key] for key in keys} | {
            "encoder.depth": record["encoder_layers"],
            "decoder.depth": record["decoder_layers"],
            **{f"{part}.{key}": record[f"{part}_{key}"] for part, key in (
                ("encoder", "ffn"), ("encoder", "heads"), ("decoder", "ffn"), ("decoder", "self_heads"),
                ("decoder", "cross_heads"), ("decoder", "arbitrary"))},
        }  # fmt: skip
        assert space.from_config(fields) == arch, name
        assert space.from_config(space.official_config(arch)) == arch
        count = space.count_subtransformer(Population.of(space.schema, [arch]))[0]
        assert count == record["params_without_embeddings"], name
        assert round(count / 1e6, 2) == record["published_m"], name


def test_every_text_is_of_its_space() -> None:
    """Also without the file: every name parses, and the counts of a few are known."""
    known = {
        "wmt14ende_titanxp@208.1ms_bleu@28.5": 49_380_864,
        "wmt14ende_titanxp@146.7ms_bleu@28.1": 51_204_480,
        "wmt19ende_titanxp@55.7ms_bleu@42.4": 36_892_672,
        "wmt14ende_raspberrypi@3.5s_bleu@25.8": 25_217_536,
        "iwslt14deen_titanxp@45.6ms_bleu@33.4": 16_820_736,
    }
    for name, text in (WMT | IWSLT).items():
        space = SPACES[name in IWSLT]
        arch = space.from_text(text)
        assert space.to_text(arch) == text
        if name in known:
            assert space.count_subtransformer(Population.of(space.schema, [arch])).tolist() == [known.pop(name)]
    assert not known
