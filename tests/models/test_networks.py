"""Generator, critic and the closed form of the gradient penalty."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from synthohive_spark.models.autoregressive.networks import ColumnHeads, NetworkPlan, Shrinkage
from synthohive_spark.models.common.layout import Layout, Packed
from synthohive_spark.models.ctgan.networks import Critic, FoldedGenerator, Generator, open_gates, soft_rows

LAYOUT = Layout((3, 2, 1), (0, 2), (0, 1), (3, 2), (1, -1))


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(
    st.integers(1, 3),
    st.integers(0, 4),
    st.integers(0, 3),
    st.lists(st.integers(1, 8), max_size=3),
    st.integers(0, 99),
)
@settings(max_examples=40, deadline=None)
def test_the_gradient_penalty_is_that_of_autograd(
    pac: int, context: int, conditions: int, hidden: list[int], seed: int
) -> None:
    critic = Critic(5, context, hidden, pac, rng(seed), conditions)
    real, fake = torch.randn(2, 6, 5, generator=rng(seed + 1))
    parents = torch.randn(6, context, generator=rng(2))
    places = torch.randint(conditions, (6,), generator=rng(4)) if conditions else None
    on_real, on_fake, penalty = critic.compare(real, fake, parents, places, rng(3))
    mix = torch.rand(6 // pac, 1, generator=rng(3))
    point = (fake + mix.repeat_interleave(pac, 0) * (real - fake)).requires_grad_()
    (gradient,) = torch.autograd.grad(critic(point, parents, places, rng()).sum(), point)
    wanted = (gradient.reshape(6 // pac, -1).norm(dim=1) - 1).square().mean()
    assert penalty.item() == pytest.approx(wanted.item(), rel=1e-3, abs=1e-4)
    assert on_real.item() == pytest.approx(critic(real, parents, places, rng()).mean().item(), abs=1e-5)
    assert on_fake.item() == pytest.approx(critic(fake, parents, places, rng()).mean().item(), abs=1e-5)


def test_looking_up_a_condition_is_multiplying_its_one_hot_form() -> None:
    places = torch.tensor([2, 0, 1, 1])
    one_hot = torch.nn.functional.one_hot(places, 3).float()
    noise, context = torch.randn(4, 4, generator=rng(1)), torch.randn(4, 2, generator=rng(2))
    generator = Generator(4, 2, (8,), 5, rng(), conditions=3).eval()
    first, last = torch.split(one_hot @ generator.condition, [8, 5], dim=1)
    block = generator.blocks[0]
    wanted = generator.output(block(torch.cat([noise, context], 1), first)) + last
    assert torch.allclose(generator(noise, context, places), wanted, atol=1e-6)
    critic = Critic(5, 2, (8,), 2, rng(), conditions=3)
    rows = torch.randn(4, 5, generator=rng(3))
    shift = one_hot.reshape(2, 6) @ critic.condition
    hidden = critic.layers[0](torch.cat([rows.reshape(2, -1), context.reshape(2, -1)], 1)) + shift
    wanted = critic.layers[1](torch.nn.functional.leaky_relu(hidden, 0.2))
    assert torch.allclose(critic(rows, context, places, rng()), wanted, atol=1e-6)


@pytest.mark.parametrize(("sizes", "scalars", "conditions"), [((4, 3), 2, 0), ((), 2, 3), ((5,), 0, 3), ((), 0, 0)])
def test_a_folded_generator_gives_what_the_network_gives(sizes: tuple[int, ...], scalars: int, conditions: int) -> None:
    rows = 50
    codes = torch.stack([torch.randint(size, (rows,), generator=rng(4)) for size in sizes], 1) if sizes else None
    codes = torch.zeros(rows, 0) if codes is None else codes
    context = Packed(codes.to(torch.int32), torch.randn(rows, scalars, generator=rng(5)), sizes)
    generator = Generator(6, context.width, (16, 8), 5, rng(), conditions)
    noise = torch.randn(rows, 6, generator=rng(1))
    places = torch.randint(conditions, (rows,), generator=rng(2)) if conditions else None
    generator.settle_norms(noise, context.dense(), places)
    with torch.no_grad():
        for block in generator.blocks:
            block.norm.weight.uniform_(0.5, 2.0, generator=rng(6))
            block.norm.bias.uniform_(-1.0, 1.0, generator=rng(7))
        wanted = generator(noise, context.dense(), places)
    folded = FoldedGenerator(generator, scalars, context.width)
    assert torch.allclose(folded(noise, context, places), wanted, atol=1e-5)


def test_dropout_keeps_the_mean_score_and_leaves_units_out() -> None:
    critic = Critic(3, 0, (400,), 1, rng(), dropout=0.5)
    row, nothing = torch.randn(1, 3, generator=rng(1)), torch.zeros(1, 0)
    draw = rng(2)
    scores = torch.stack([critic(row, nothing, None, draw)[0, 0] for _ in range(400)]).detach()
    critic.dropout = 0.0
    assert scores.std() > 0.01
    assert scores.mean().item() == pytest.approx(
        critic(row, nothing, None, draw).item(), abs=0.15 * scores.std().item()
    )


def test_soft_rows_are_states_and_gated_scalars() -> None:
    raw = torch.randn(50, LAYOUT.width, generator=rng())
    rows = soft_rows(raw, LAYOUT, 1e-3, rng(1))
    states = rows[:, 2:]
    assert torch.allclose(states[:, :3].sum(1), torch.ones(50))
    assert torch.allclose(states[:, 3:].sum(1), torch.ones(50))
    gates = open_gates(states, LAYOUT)
    assert torch.equal(gates[:, 0], states[:, 1])
    assert torch.equal(gates[:, 1], torch.ones(50))
    assert rows[:, 0].abs().le(states[:, 1] + 1e-6).all()


def test_settled_norms_make_rows_independent_of_their_neighbours() -> None:
    generator = Generator(4, 2, (8, 8), 5, rng())
    noise, context = torch.randn(64, 4, generator=rng(1)), torch.randn(64, 2, generator=rng(2))
    generator.settle_norms(noise, context)
    assert not generator.training
    assert torch.allclose(generator(noise, context)[:3], generator(noise[:3], context[:3]), atol=1e-6)


def test_building_networks_leaves_the_global_state_alone() -> None:
    before = torch.get_rng_state()
    Generator(4, 2, (8,), 5, rng())
    Critic(5, 2, (8,), 2, rng())
    assert torch.equal(before, torch.get_rng_state())


@given(st.sampled_from([0, 3]), st.floats(0, 1), st.floats(0, 1), st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_a_head_that_is_held_back_mixes_its_context_and_its_logits(
    width: int, of_context: float, of_logits: float, seed: int
) -> None:
    plan = NetworkPlan.of((3, 4), width, ((), (0,)))
    heads = ColumnHeads(plan, [None, None], rng(seed))
    dense, codes = torch.randn(9, width, generator=rng(1)), torch.randint(3, (9, 2), generator=rng(2))
    shares = [torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.1, 0.2, 0.3, 0.4])]
    with torch.no_grad():
        if width:
            heads.unknown.normal_(generator=rng(3))
        known = heads.context(dense)
        mixed = torch.lerp(heads.context(dense, torch.ones(9, 1, dtype=torch.bool)), known, of_context)
        wanted = [
            torch.lerp(share.log().expand(9, -1), heads.logits(place, heads.seen(mixed, codes), codes), of_logits)
            for place, share in enumerate(shares)
        ]
        heads.shrink([Shrinkage(of_context, of_logits)] * 2, shares)
        for place, logits in enumerate(wanted):
            torch.testing.assert_close(heads.logits(place, heads.seen(known, codes), codes), logits)
