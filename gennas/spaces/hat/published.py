"""The 44 sub-transformers that HAT's authors published, by data set, device, latency and BLEU.

Each is written in short: width of encoder and decoder, then one character per layer: thousands of channels of the
encoder's feed-forward layers, its heads, the same of the decoder (heads of self- and of cross-attention), and how many
encoder layers each cross-attention sees (``-`` for -1, the last one; 1 the last two; 2 the last three).
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["IWSLT", "WMT"]

# fmt: off
_SHORT = {
    "iwslt14deen_titanxp@109.0ms_bleu@34.5": "512 512 111111 444444 112 444 444 2--",
    "iwslt14deen_titanxp@137.8ms_bleu@34.7": "512 512 111111 444444 1221 4442 4444 2---",
    "iwslt14deen_titanxp@168.8ms_bleu@34.8": "512 512 111111 444444 22211 44422 44444 2----",
    "iwslt14deen_titanxp@45.6ms_bleu@33.4": "512 512 111111 442444 2 4 4 -",
    "iwslt14deen_titanxp@74.5ms_bleu@34.2": "512 512 111111 444444 21 42 44 --",
    "wmt14ende_raspberrypi@3.5s_bleu@25.8": "512 512 133222 484448 3 8 8 -",
    "wmt14ende_raspberrypi@4.0s_bleu@26.9": "512 512 323232 888488 12 44 88 --",
    "wmt14ende_raspberrypi@4.5s_bleu@27.6": "512 512 333333 488488 33 88 88 -1",
    "wmt14ende_raspberrypi@5.0s_bleu@27.8": "512 512 333233 888884 123 488 488 -1-",
    "wmt14ende_raspberrypi@6.0s_bleu@28.2": "512 512 333333 444884 2233 4884 4888 --1-",
    "wmt14ende_raspberrypi@6.9s_bleu@28.4": "512 512 333333 848888 22332 88848 48888 -111-",
    "wmt14ende_titanxp@126.0ms_bleu@27.9": "512 512 333333 448884 333 888 488 -11",
    "wmt14ende_titanxp@146.7ms_bleu@28.1": "640 640 333333 488844 333 888 488 -11",
    "wmt14ende_titanxp@208.1ms_bleu@28.5": "512 512 333333 848884 22333 88848 48888 -111-",
    "wmt14ende_titanxp@57.1ms_bleu@25.8": "512 512 333333 488888 3 8 8 1",
    "wmt14ende_titanxp@91.2ms_bleu@27.6": "512 512 333333 488488 33 88 88 -1",
    "wmt14ende_xeon@137.9ms_bleu@25.8": "512 512 333333 488888 3 8 8 1",
    "wmt14ende_xeon@204.2ms_bleu@27.6": "512 512 333333 488488 33 88 88 -1",
    "wmt14ende_xeon@278.7ms_bleu@27.9": "512 512 333333 448884 333 888 488 -11",
    "wmt14ende_xeon@340.2ms_bleu@28.1": "512 512 333333 448884 3333 8884 4888 -11-",
    "wmt14ende_xeon@369.6ms_bleu@28.2": "512 512 333333 848884 33333 88848 48888 -111-",
    "wmt14ende_xeon@450.9ms_bleu@28.5": "512 512 333333 448884 333333 888444 488888 -111--",
    "wmt14enfr_raspberrypi@4.3s_bleu@38.8": "512 512 222232 444848 3 8 8 -",
    "wmt14enfr_raspberrypi@5.3s_bleu@40.1": "512 512 333333 888888 33 88 88 -2",
    "wmt14enfr_raspberrypi@5.8s_bleu@40.6": "512 512 333332 888888 123 488 488 --1",
    "wmt14enfr_raspberrypi@6.9s_bleu@41.1": "512 512 333333 448488 2323 4888 4488 --1-",
    "wmt14enfr_raspberrypi@7.8s_bleu@41.4": "512 512 333333 888888 23332 88888 48888 -111-",
    "wmt14enfr_raspberrypi@9.1s_bleu@41.8": "512 512 333333 888888 333333 888844 488888 -1-12-",
    "wmt14enfr_titanxp@132.9ms_bleu@40.7": "512 512 333333 888888 333 888 488 --1",
    "wmt14enfr_titanxp@168.3ms_bleu@41.1": "512 512 333333 888888 3333 8888 4888 -21-",
    "wmt14enfr_titanxp@208.3ms_bleu@41.7": "512 512 333333 888888 33333 88888 48888 -211-",
    "wmt14enfr_titanxp@69.3ms_bleu@39.1": "512 512 333333 888888 3 8 8 -",
    "wmt14enfr_titanxp@94.9ms_bleu@40.0": "512 512 333333 888888 33 88 88 -2",
    "wmt14enfr_xeon@154.7ms_bleu@39.1": "512 512 333333 888888 3 8 8 -",
    "wmt14enfr_xeon@208.8ms_bleu@40.0": "512 512 333333 888888 33 88 88 -2",
    "wmt14enfr_xeon@329.4ms_bleu@41.1": "512 512 323332 888888 3333 8888 4888 --1-",
    "wmt14enfr_xeon@394.5ms_bleu@41.4": "512 512 333333 888888 33333 88884 48888 -212-",
    "wmt14enfr_xeon@442.0ms_bleu@41.7": "512 512 333333 888888 333333 888884 488888 -112--",
    "wmt19ende_titanxp@134.5ms_bleu@45.4": "512 512 333333 488888 333 888 488 -11",
    "wmt19ende_titanxp@176.1ms_bleu@46.2": "512 512 333333 488888 3333 8888 4888 -11-",
    "wmt19ende_titanxp@204.5ms_bleu@46.5": "512 512 333333 488888 33333 88884 48888 -11--",
    "wmt19ende_titanxp@237.8ms_bleu@46.7": "512 512 333333 488888 333333 888844 488888 -111--",
    "wmt19ende_titanxp@55.7ms_bleu@42.4": "640 512 333333 888888 3 8 8 1",
    "wmt19ende_titanxp@93.2ms_bleu@44.4": "640 512 333333 888888 33 88 88 -2",
}
# fmt: on


def _text(short: str) -> str:
    """The text form of the space."""
    encoder, decoder, *lists = short.split()
    ffn, heads, ffn2, self_heads, cross_heads, arbitrary = map(list, lists)
    fields = {
        "encoder_embed": [encoder],
        "decoder_embed": [decoder],
        "encoder.depth": [str(len(ffn))],
        "encoder.ffn": [str(1024 * int(k)) for k in ffn],
        "encoder.heads": heads,
        "decoder.depth": [str(len(ffn2))],
        "decoder.ffn": [str(1024 * int(k)) for k in ffn2],
        "decoder.self_heads": self_heads,
        "decoder.cross_heads": cross_heads,
        "decoder.arbitrary": ["-1" if a == "-" else a for a in arbitrary],
    }
    return ";".join(f"{name}={','.join(values)}" for name, values in fields.items())


WMT: Mapping[str, str] = {name: _text(short) for name, short in _SHORT.items() if not name.startswith("iwslt")}
"""Texts of the 39 for WMT'14 English-German and English-French and for WMT'19 English-German."""

IWSLT: Mapping[str, str] = {name: _text(short) for name, short in _SHORT.items() if name.startswith("iwslt")}
"""Texts of the 5 for IWSLT'14 German-English; they belong to ``HAT("iwslt")``."""
