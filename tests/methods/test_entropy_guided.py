"""The entropy penalty: its number against loops, its gradient beside the loss's, and the defect of ln T."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.methods import Geometry, Method, methods
from testbed.models import ModelConfig
from testbed.models.transformer import Transformer
from testbed.sources import MarkovSource
from testbed.training import DataConfig, EvaluationConfig, OptimiserConfig, TrainingSpec
from testbed.training.ensemble import Ensemble

E, B, H = 2, 3, 2


def build(**values) -> Method:
    return methods.build({"type": "entropy_guided", **values})


def causal_weights(n: int, seed: int, scale: float) -> torch.Tensor:
    a = scale * torch.randn(E, B, H, n, n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return a.masked_fill(torch.ones(n, n).triu(1).bool(), -math.inf).softmax(dim=-1)


@given(st.integers(0, 10**6), st.floats(0.0, 8.0), st.floats(0.0, 1.0), st.floats(0.0, 0.5))
@settings(max_examples=12, deadline=None)
def test_rows_are_penalised_beyond_the_tolerance(seed, scale, theta, tolerance):
    n = 6
    w, visible = causal_weights(n, seed, scale), torch.ones(n, n).tril().bool()
    thetas = theta * torch.rand(E, H, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    for maximum in ("window", "row"):
        one = build(maximum=maximum, tolerance=tolerance, coefficient=2.0)
        found = one.penalty(w, visible, thetas)
        for e, b, h, i in np.ndindex(E, B, H, n):
            p = w[e, b, h, i, : i + 1].numpy()
            largest = math.log(n if maximum == "window" else i + 1)
            d = -float(np.sum(p * np.log(np.maximum(p, 1e-300)))) - float(thetas[e, h]) * largest
            if abs(abs(d) - tolerance * largest) > 1e-9:
                expected = 2.0 * d * d * (abs(d) > tolerance * largest)
                assert found[e, b, h, i].item() == pytest.approx(expected, abs=1e-9)


@given(st.integers(2, 300), st.floats(0.05, 0.9))
@settings(max_examples=25, deadline=None)
def test_the_paper_penalises_uniform_rows_and_the_row_form_does_not(T, tolerance):
    """theta = 1: no causal row can have more entropy than the uniform one, yet with ln T those that see fewer than
    T^(1 - tau) keys are penalised; with ln of what each sees, none is."""
    visible = torch.ones(T, T, dtype=torch.bool).tril()
    uniform = (visible.double() / visible.sum(dim=1, keepdim=True))[None, None, None]
    theta = torch.ones(1, 1, dtype=torch.float64)
    penalised = build(tolerance=tolerance).penalty(uniform, visible, theta)[0, 0, 0] > 0
    limit = T ** (1 - tolerance)
    for n in range(1, T + 1):
        if abs(n - limit) > 1e-6 * limit:
            assert penalised[n - 1].item() == (n < limit)
    assert (build(tolerance=tolerance, maximum="row").penalty(uniform, visible, theta) == 0).all()


def test_at_256_keys_the_defect_ends_at_row_84():
    visible = torch.ones(256, 256, dtype=torch.bool).tril()
    uniform = (visible.double() / visible.sum(dim=1, keepdim=True))[None, None, None]
    penalised = build().penalty(uniform, visible, torch.ones(1, 1, dtype=torch.float64))[0, 0, 0] > 0
    assert penalised.nonzero().flatten().tolist() == list(range(84))


# ------------------------------------------------------------------------------------------------ in a training
def spec(seed: int, *chosen, **optimiser) -> TrainingSpec:
    return TrainingSpec(
        source=MarkovSource.random(vocab_size=3, order=1, concentration=0.5, seed=1),
        context_length=5,
        data=DataConfig(n_targets=60, max_context=5, targets_per_step=8, seed=seed),
        model=ModelConfig(width=8, depth=2, heads=2, methods=("rope", *chosen)),
        optimiser=OptimiserConfig(steps=6, warmup_steps=1, **optimiser),
        evaluation=EvaluationConfig(n_contexts=20, n_heldout=20, path_points=1),
        loss="all",
        initial_seed=seed,
    )


def penalty_of(model: Transformer, weights, tokens: torch.Tensor, one: Method) -> torch.Tensor:
    """(E,) the penalty, from the attention weights of every block, put together again."""
    totals = []

    class Summed(type(one)):
        type_name = "entropy_guided"

        def reweigh(self, w_EBHTT, context, parameters):
            of_rows = self.penalty(w_EBHTT, context.visible_TT, parameters["theta"])
            totals.append(of_rows.mean(dim=2).sum(dim=(1, 2)) / model.geometry.depth)
            return w_EBHTT

    values = one.model_dump(exclude={"type"})
    twin = Transformer(model.config.replace(methods=("rope", Summed(**values))), 3, model.geometry.train_length)
    twin.logits(weights, tokens, "all")
    return torch.stack(totals).sum(dim=0)


def test_the_gradient_is_that_of_loss_and_penalty_and_the_loss_is_the_loss():
    """Of two members at once, by autograd of their sum; the reported loss is the cross-entropy alone."""
    one = build(coefficient=0.3, theta=0.7, tolerance=0.1)
    guided, plain = Ensemble([spec(s, one) for s in (1, 2)]), Ensemble([spec(s) for s in (1, 2)])
    losses, without = guided.losses_and_gradients(0), plain.losses_and_gradients(0)
    shared = [entry.name for entry in plain.model.layout.entries]
    views = guided.model.layout.views(guided.weights_EP)
    tokens = guided.segments[0].draw(0).tokens_EBT
    leaves = {name: view.detach().clone().requires_grad_() for name, view in views.items()}
    penalty_of(guided.model, leaves, tokens, one).sum().backward()
    found, own = (m.model.layout.views(m.gradients_EP) for m in (guided, plain))
    same_start = all(torch.equal(views[n], plain.model.layout.views(plain.weights_EP)[n]) for n in ("embedding",))
    assert same_start
    theta = leaves["method.entropy_guided.theta"].grad
    assert theta.abs().min() > 0
    torch.testing.assert_close(found["method.entropy_guided.theta"], theta, rtol=1e-4, atol=1e-6)
    assert losses.shape == without.shape
    # the same weights in the plain ensemble: what the guided one has more is the penalty's gradient
    for name in shared:
        plain.model.layout.views(plain.weights_EP)[name].copy_(views[name])
    without = plain.losses_and_gradients(0)
    torch.testing.assert_close(losses, without)
    for name in shared:
        added = leaves[name].grad if leaves[name].grad is not None else torch.zeros_like(own[name])
        torch.testing.assert_close(found[name] - own[name], added, rtol=1e-3, atol=1e-5)


def test_a_step_in_parts_has_the_same_gradient():
    """The penalty is a sum over windows: it does not matter how many are looked at together."""
    one = build(coefficient=0.3, theta=0.7)
    whole, parted = (Ensemble([spec(s, one) for s in (1, 2)]) for _ in range(2))
    parted.most_windows = 4
    torch.testing.assert_close(parted.losses_and_gradients(3), whole.losses_and_gradients(3))
    torch.testing.assert_close(parted.gradients_EP, whole.gradients_EP, rtol=1e-4, atol=1e-6)


def test_it_moves_entropies_towards_its_thresholds():
    """A strong one, held to even rows, ends nearer to them than none; attention is as it is without it."""
    one = build(coefficient=1.0, theta=1.0, tolerance=0.0, maximum="row")
    guided, plain = Ensemble([spec(1, one, learning_rate=3e-2)]), Ensemble([spec(1, learning_rate=3e-2)])
    for step in range(6):
        guided.train_step(step)
        plain.train_step(step)
    tokens = guided.segments[0].draw(0).tokens_EBT
    left = []
    for ensemble in (guided, plain):
        views = dict(ensemble.model.layout.views(ensemble.weights_EP))
        views["method.entropy_guided.theta"] = torch.ones(1, 2, 2)
        left.append(penalty_of(ensemble.model, views, tokens, one).item())
    assert left[0] < 0.7 * left[1]
    views = guided.model.layout.views(guided.weights_EP)
    with torch.no_grad():
        found, bare = (
            Transformer(ModelConfig(width=8, depth=2, heads=2, methods=chosen), 3, 6).logits(views, tokens, "all")
            for chosen in (("rope", one), ("rope",))
        )
    torch.testing.assert_close(found, bare, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["entropy_guided", "affine"])
def test_windows_with_weights_are_refused(name):
    """Their padding would count, and a member's result depend on its company."""
    one = spec(1, name)
    distinct = {"loss": "last", "data": one.data.replace(batch="distinct")}
    with pytest.raises(ConfigError, match=f"{name} counts every window of a step alike.* take data.batch = sampled"):
        one.replace(**distinct)
    spec(1).replace(**distinct)


def test_bad_parameters_are_refused_by_name():
    for values in ({"coefficient": -1.0}, {"tolerance": 1.5}, {"theta": 2.0}, {"maximum": "all"}):
        with pytest.raises(ConfigError, match=next(iter(values))):
            build(**values)
    with pytest.raises(
        ConfigError, match="entropy_guided and entropy_guided exclude each other, both fill regulariser"
    ):
        ModelConfig(methods=("entropy_guided", "rope", "entropy_guided"))
    for other in ("affine", "softmax_plus_one", "learned_sink", "nala_rope"):
        with pytest.raises(ConfigError, match=f"{other} and entropy_guided exclude each other, both fill sums_of_rows"):
            ModelConfig(methods=(other, "entropy_guided"))
    ModelConfig(methods=("rope", "entmax15", "entropy_guided"))
    assert build().parameters(Geometry(8, 2, 2, 6))["theta"].shape == (2,)
