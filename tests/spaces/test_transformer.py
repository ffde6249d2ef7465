"""Tests of transformer blocks against the formulas, and against PyTorch's own attention."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from gennas.spaces.transformer import MLP, Attention, Block, RelativeAttention, grid_distances


def parts(attention: Attention | RelativeAttention, x: torch.Tensor, head: int) -> list[torch.Tensor]:
    """q, k and v of one head, by the rows of qkv: (head, 3, head_dim)."""
    d = attention.head_dim
    rows = attention.qkv(x)[..., 3 * d * head : 3 * d * (head + 1)]
    return [rows[..., i * d : (i + 1) * d] for i in range(3)]


@pytest.mark.parametrize(("heads", "head_dim"), [(1, 4), (3, 5)])
def test_attention_is_that_of_every_head(heads: int, head_dim: int) -> None:
    """Head by head, with heads that do not divide the width."""
    attention, x = Attention(8, heads, head_dim), torch.randn(2, 6, 8)
    mixed = [functional.scaled_dot_product_attention(*parts(attention, x, head)) for head in range(heads)]
    torch.testing.assert_close(attention(x), attention.proj(torch.cat(mixed, -1)))


def test_fewer_heads_are_leading_rows() -> None:
    """The first head alone is the leading slice of qkv and of the columns of the projection."""
    two, one, x = Attention(8, 2, 4), Attention(8, 1, 4), torch.randn(2, 6, 8)
    with torch.no_grad():
        one.qkv.weight.copy_(two.qkv.weight[:12])
        one.qkv.bias.copy_(two.qkv.bias[:12])
        one.proj.weight.copy_(two.proj.weight[:, :4])
        one.proj.bias.copy_(two.proj.bias)
        two.proj.weight[:, 4:] = 0
    torch.testing.assert_close(one(x), two(x))


def test_relative_attention_is_the_formula() -> None:
    """Query by query and key by key on a grid of 2 x 3 tokens with a class token."""
    heads, d, largest = 2, 4, 1
    attention, x = RelativeAttention(8, heads, d, 2 * largest + 2), torch.randn(1, 7, 8)
    places = [None, *((i, j) for i in range(2) for j in range(3))]

    def row(i: int, j: int, axis: int) -> int:
        a, b = places[i], places[j]
        return 0 if a is None or b is None else max(-largest, min(largest, b[axis] - a[axis])) + largest + 1

    def vector(table: torch.Tensor, i: int, j: int) -> torch.Tensor:
        return table[0][row(i, j, 0)] + table[1][row(i, j, 1)]

    mixed = []
    for head in range(heads):
        q, k, v = (t[0] for t in parts(attention, x, head))
        rows = []
        for i in range(7):
            scores = torch.stack([q[i] @ (k[j] + vector(attention.keys, i, j)) for j in range(7)]) / d**0.5
            rows.append(sum(w * (v[j] + vector(attention.values, i, j)) for j, w in enumerate(scores.softmax(0))))
        mixed.append(torch.stack(rows))
    expected = attention.proj(torch.cat(mixed, -1))[None]
    torch.testing.assert_close(attention(x, grid_distances(2, 3, largest)), expected)


def test_distances_of_a_grid() -> None:
    """Fourteen by fourteen patches need 28 rows of the 30; farther ones share a row."""
    found = grid_distances(14, 14, 14)
    assert found.shape == (2, 197, 197)
    assert sorted(found[0].unique().tolist()) == [0, *range(2, 29)]
    assert found[0, 1, 1 + 14] == 16 and found[1, 1, 1 + 14] == 15  # one row down, no column across
    assert sorted(grid_distances(5, 1, 2)[0].unique().tolist()) == [0, 1, 2, 3, 4, 5]


def test_block_adds_to_its_input() -> None:
    """With projections of zeros a block is the identity; its parts are pre-norm."""
    block, x = Block(8, 2, 4, 16), torch.randn(2, 5, 8)
    y = x + block.attention(block.norm1(x))
    torch.testing.assert_close(block(x), y + block.mlp(block.norm2(y)))
    for last in (block.attention.proj, block.mlp.fc2):
        torch.nn.init.zeros_(last.weight)
        torch.nn.init.zeros_(last.bias)
    assert torch.equal(block(x), x)


def test_numbers_of_parameters() -> None:
    """As the docstrings say."""
    counts = [sum(p.numel() for p in m.parameters()) for m in (Attention(8, 3, 4), MLP(8, 20), Block(8, 3, 4, 20))]
    assert counts == [9 * 36 + 13 * 8, 9 * 20 + 21 * 8, 9 * 36 + 13 * 8 + 9 * 20 + 21 * 8 + 32]
