"""Layered spaces from YAML: sizes of known spaces, contracts, networks, faults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from gennas.errors import ConfigError
from gennas.spaces import MacroChain, Space, TaskSpec, make_space
from gennas.testing import SpaceContract

CHAIN = """
kind: layered
name: chain
groups:
  - depth: [2, 3, 4, 5, 6, 7, 8]
    layer:
      op: [conv, separable, inverted]
      kernel: [3, 5, 7]
      width: [16, 32, 64]
      stride: [1, 2]
    modules:
      - $op: {kernel: $kernel, width: $width, stride: $stride}
"""
AUTOFORMER = """
kind: layered
name: autoformer-tiny-yaml
network: patches
settings: {width: $embed, patch: 16}
whole:
  embed: [192, 216, 240]
groups:
  - depth: [12, 13, 14]
    layer:
      mlp: [3.5, 4]
      heads: [3, 4]
    modules:
      - attention: {heads: $heads, head_width: 64}
      - mlp: {ratio: $mlp}
"""
CONDITIONS = """
kind: layered
groups:
  - name: stem
    depth: [1]
    whole: {act: [relu, gelu]}
    layer: {width: [4, 6]}
    modules:
      - conv: {width: $width, activation: $act}
  - name: body
    depth: [1, 2]
    layer:
      op: {values: [conv, inverted, max_pool, identity], first: [conv, inverted]}
      kernel: {values: [3, 5], when: {op: [conv, inverted]}, prefix: k}
      expansion: {values: [1.5, 3], when: {op: [inverted]}}
    modules:
      - $op: {kernel: $kernel, expansion: $expansion}
      - max_pool: {kernel: 2, stride: 2}
"""
TOKENS = """
kind: layered
network: tokens
settings: {width: $embed}
whole: {embed: [8, 12]}
groups:
  - depth: [1, 2]
    layer:
      mixer: [attention, token_conv, identity]
      heads: {values: [1, 2, 4], when: {mixer: [attention]}}
      ratio: [1, 2]
    modules:
      - $mixer: {heads: $heads}
      - mlp: {ratio: $ratio}
"""


def space_of(text: str, folder: Path, name: str = "my_space.yaml") -> Space:
    file = folder / name
    file.write_text(text)
    return make_space(str(file))


class Described(SpaceContract):
    """A space of a file in a temporary folder."""

    text = CHAIN
    num_samples = 24
    num_built = 2

    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path) -> None:
        self._folder = tmp_path

    def make_space(self) -> Space:
        return space_of(self.text, self._folder)


class TestChain(Described):
    pass


class TestConditions(Described):
    text = CONDITIONS


class TestPatches(Described):
    text = AUTOFORMER.replace("patch: 16", "patch: 4").replace("[192, 216, 240]", "[8, 12]").replace("[12, 13", "[1, 2")


class TestTokens(Described):
    text = TOKENS
    specs = (
        TaskSpec("language", (8,), 11, vocabulary=11),
        TaskSpec("tagging", (8,), 3, vocabulary=11),
        TaskSpec("text", (8,), 3, vocabulary=11),
    )


def test_known_spaces_have_their_sizes(tmp_path: Path) -> None:
    """Of the chain all but one rule can be said: that at most three layers have stride 2."""
    assert space_of(AUTOFORMER, tmp_path).size == 3 * (4**12 + 4**13 + 4**14) == 1_056_964_608
    chain = space_of(CHAIN, tmp_path)
    assert chain.size == sum(54**d for d in range(2, 9)) == MacroChain(max_downsamplings=8).size
    assert MacroChain().size == 26_952_062_361_840 < chain.size == 73_666_149_288_876
    assert space_of(CONDITIONS, tmp_path).size == 2 * 2 * (6 + 6 * 8)


def test_networks_are_those_of_the_chain(tmp_path: Path) -> None:
    """The same blocks as in macro-chain: the same parameters, but for the stem, which has 16 channels."""
    space, chain, spec = space_of(CHAIN, tmp_path), MacroChain(), TaskSpec("image", (3, 8, 8), 4)
    text = "depth=3;op=conv,separable,inverted;kernel=3,5,7;width=16,32,32;stride=1,2,1"
    found = space.build(space.from_text(text), spec)
    known = chain.build(chain.from_text("conv3x3-w16-s1/separable5x5-w32-s2/inverted7x7-w32-s1"), spec)
    assert sum(p.numel() for p in found.parameters()) == sum(p.numel() for p in known.parameters())


def test_conditions_and_words_reach_the_blocks(tmp_path: Path) -> None:
    space = space_of(CONDITIONS, tmp_path)
    text = "stem.act=gelu;stem.depth=1;stem.width=6;body.depth=2;body.op=inverted,max_pool;body.kernel=5,-"
    arch = space.from_text(f"{text};body.expansion=1.5,-")
    module = str(space.build(arch, TaskSpec("image", (3, 8, 8), 4)))
    assert "GELU" in module and "Conv2d(6, 9, kernel_size=(1, 1)" in module and "groups=9" in module
    assert module.count("MaxPool2d(kernel_size=2, stride=2") == 2 and "MaxPool2d(kernel_size=3" in module


def test_language_models_look_back_only(tmp_path: Path) -> None:
    import torch

    space, spec = space_of(TOKENS, tmp_path), TaskSpec("language", (8,), 11, vocabulary=11)
    for mixer, heads in (("attention", "2"), ("token_conv", "-")):
        arch = space.from_text(f"embed=8;depth=1;mixer={mixer};heads={heads};ratio=1")
        torch.manual_seed(0)
        model = space.build(arch, spec).eval()
        tokens = spec.random_inputs(1)[0]
        other = tokens.clone()
        other[0, 5:] = (other[0, 5:] + 1) % 11
        a, b = model(tokens), model(other)
        torch.testing.assert_close(a[:, :5], b[:, :5])
        assert not torch.allclose(a[:, 5:], b[:, 5:])


def test_identity_is_of_the_content(tmp_path: Path) -> None:
    one = space_of(CHAIN, tmp_path)
    (tmp_path / "elsewhere").mkdir()
    again = space_of("# a comment\n" + CHAIN, tmp_path / "elsewhere")
    other = space_of(CHAIN.replace("stride: $stride", "stride: 1"), tmp_path, "other.yaml")
    assert one.identity == again.identity != other.identity
    assert one.name == "chain" and space_of(CONDITIONS, tmp_path).name == "my_space"


def changed(**changes: Any) -> str:
    content = yaml.safe_load(AUTOFORMER)
    for path, value in changes.items():
        place: Any = content
        *keys, last = path.split("__")
        for key in keys:
            place = place[int(key) if key.isdigit() else key]
        place[last] = value
    return yaml.safe_dump(content)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind: tree", "kind: layered or kind: grammar, got 'tree'"),
        ("- 1", "kind: layered or kind: grammar, got None"),
        ("kind: [", "Cannot read the space"),
        ("kind: layered\nkind: grammar", "the key 'kind' is given twice"),
        ("kind: &a layered\nname: *a", "aliases"),
        ("kind: !!python/object/apply:os.system [echo]", "Cannot read the space"),
        (changed(groups__0__modules=[{"atention": {}}]), "unknown block on tokens 'atention'. Did you mean attention"),
        (
            changed(groups__0__modules=[{"conv": {}}]),
            "unknown block on tokens 'conv'. Did you mean token_conv? Known: attention, mlp",
        ),
        (changed(groups__0__modules=[{"mlp": {"rate": 3}}]), "unknown argument of 'mlp' 'rate'. Did you mean ratio"),
        (
            changed(groups__0__modules=[{"mlp": {"ratio": "$mpl"}}]),
            r"layer.mlp.ratio: .* out of \$embed, \$heads, \$mlp",
        ),
        (
            changed(groups__0__modules=[{"mlp": {"ratio": "wide"}}]),
            "ratio: expected a number of at least 0.01, got 'wide'",
        ),
        (changed(groups__0__modules=[{"mlp": {}, "attention": {}}]), "modules of one block each"),
        (changed(groups__0__layer__heads=[0, 1]), "heads: expected a whole number of at least 1, got 0"),
        (changed(groups__0__layer__heads=[]), "groups.0.layer.heads.values"),
        (changed(groups__0__layer__heads=[True]), "groups.0.layer.heads.values"),
        (changed(groups__0__layer__heads={"values": [1], "wen": {}}), "wen: extra inputs are not permitted"),
        (changed(groups__0__layer__heads={"values": [1, 2], "when": {"op": [1]}}), "condition on one of the decisions"),
        (changed(groups__0__depth=[0]), "expected different positive depths"),
        (changed(groups__0__import="os"), "groups.0.import: extra inputs"),
        (changed(network="gpt"), "unknown network 'gpt'. Known: images, patches, tokens"),
        (changed(settings={"depth": 3}), "unknown setting of the network 'patches', 'depth'"),
        (changed(whole={}), r"settings.width: expected a decision out of none, got '\$embed'"),
    ],
)
def test_faults_are_one_clear_line(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message.replace("?", r"\?")) as caught:
        space_of(text, tmp_path)
    assert len(str(caught.value).splitlines()) == 1 and "my_space.yaml" in str(caught.value)


def test_sizes_that_do_not_fit_are_one_clear_line(tmp_path: Path) -> None:
    space = space_of(AUTOFORMER, tmp_path)
    arch = space.sample(1, np.random.default_rng(0))[0]
    with pytest.raises(ConfigError, match="multiples of the patch, 16 pixels, got 8 x 8"):
        space.build(arch, TaskSpec("image", (3, 8, 8), 4))
    odd = space_of(TOKENS.replace("[1, 2, 4]", "[3, 5]"), tmp_path)
    with pytest.raises(ConfigError, match="heads that divide the width 8, got 3"):
        odd.build(odd.from_text("embed=8;depth=1;mixer=attention;heads=3;ratio=1"), TestTokens.specs[0])


def test_options_of_a_file_are_refused(tmp_path: Path) -> None:
    space_of(CHAIN, tmp_path)
    with pytest.raises(ConfigError, match="expected no options"):
        make_space(str(tmp_path / "my_space.yaml"), width=3)
    with pytest.raises(ConfigError, match="Cannot read the space"):
        make_space(str(tmp_path / "none.yaml"))
    (tmp_path / "large.yaml").write_text("#" * 1_000_001)
    with pytest.raises(ConfigError, match="at most 1,000,000 bytes"):
        make_space(str(tmp_path / "large.yaml"))
