from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from gennas.errors import ConfigError
from gennas.generators.preferences import fit_preferences
from gennas.graph import Population
from gennas.models.autoregressive import DecisionLM, DecisionVocabulary
from gennas.models.llm import Backend, Decisions, Question, Recorder, Transcript, by_choices, by_texts
from gennas.models.llm.tiny import TinyBackend
from gennas.spaces import NASBench101, NASBench201

SPACE = NASBench201()
DECISIONS = Decisions(SPACE.schema, SPACE.legal, SPACE.completions)
PROMPT = [{"role": "user", "content": "Maximise."}]


@pytest.fixture(scope="module")
def trained() -> DecisionLM:
    torch.manual_seed(0)
    model = DecisionLM(DecisionVocabulary(SPACE.schema, shared=True), dim=16, num_layers=1)
    archs = SPACE.sample(40, np.random.default_rng(0))
    fit_preferences(model, archs, (archs.decisions == 3).sum(1))
    return model


def test_probabilities_are_those_of_the_model(trained: DecisionLM) -> None:
    tiny = TinyBackend(trained, DECISIONS)
    assert isinstance(tiny, Backend)
    D = DECISIONS.read("313323")
    log_p, names = 0.0, SPACE.schema.edge_labels
    for t in range(6):
        so_far = f"Decisions so far: {'313323'[:t]}\n" if t else ""
        order = np.random.default_rng(t).permutation(5)
        question = Question(f"{so_far}Next: {DECISIONS.name(t)}?", tuple(names[i] for i in order))
        answer = tiny.choose("Anything.", [question])[0]
        log_p += np.log(answer.probabilities[int(np.flatnonzero(order == D[0, t])[0])])
    assert log_p == pytest.approx(trained.log_prob(D)[0], abs=1e-4)


def test_it_proposes_what_it_learned_in_both_ways(trained: DecisionLM, tmp_path: Path) -> None:
    tiny = TinyBackend(trained, DECISIONS, temperature=8)
    recorder = Recorder(tiny, Transcript(tmp_path / "tiny.jsonl"))
    for made in (by_choices(DECISIONS, tiny, "", 40), by_texts(DECISIONS, recorder, PROMPT, 40)):
        assert (made.D == 3).mean() > 0.35 and made.valid_before_repair == 1 and made.usage.output_tokens > 0
        assert len(np.unique(made.D, axis=0)) > 10


def test_it_is_legal_where_decisions_depend_on_each_other_and_named_by_its_weights(trained: DecisionLM) -> None:
    space = NASBench101()
    decisions = Decisions(space.schema, space.legal, space.completions)
    models = [TinyBackend(DecisionLM(DecisionVocabulary(space.schema), dim=16), decisions) for _ in range(2)]
    D = np.concatenate([by_choices(decisions, models[0], "", 4).D, by_texts(decisions, models[0], PROMPT, 2).D])
    assert space.is_valid(Population.from_decisions(space.schema, D)).all()
    assert models[0].name != models[1].name == TinyBackend(models[1].model, decisions).name


def test_what_does_not_fit_is_refused(trained: DecisionLM) -> None:
    with pytest.raises(ConfigError, match="without conditions"):
        TinyBackend(DecisionLM(DecisionVocabulary(SPACE.schema, 1), dim=16), DECISIONS)
    with pytest.raises(ConfigError, match="positive temperature"):
        TinyBackend(trained, DECISIONS, temperature=0)
    with pytest.raises(ConfigError, match="under their own names, such as none"):
        TinyBackend(trained, DECISIONS).choose("", [Question("Next: edge 0 to 1?", ("a", "b"))])
