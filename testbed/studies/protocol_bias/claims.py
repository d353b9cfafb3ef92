"""The claims of the study: where each number must lie. The numbers themselves are in `evidence`.

With x_p the apparent ln l* of a replicate by protocol p, the shortest l within delta of that run's least loss:

    whole_batches       share of replicates with |x_factor - x_sound| of half a doubling or more, one way, at any D
    tied_steps, early_stop, together
                        the same at the smallest D
    block_average       share with x_factor - x_sound of half a doubling or more, at the largest D; it is the sum of
    block_reading       x of the average over the block less that at the last position of the same models, and minus
    block_training      by how much training on blocks shortens the x of the last position
    growth              x_sound at the largest D less that at the smallest
    hidden_growth       the same less that of all factors together
    control             x_sound above the shortest l, on the source without memory; control_factors: of any factor
    tables_*            of the learner without a network: block averages, whole batches, a source of finite order
    visible_*           KL(l) of a fixed model at visible length l, trained to l_train, masked or not
"""

from typing import TYPE_CHECKING, Literal

from testbed.studies.judge import Claim, Region
from testbed.studies.protocol_bias.readings import block_factor

if TYPE_CHECKING:
    from testbed.studies.protocol_bias.study import ProtocolBias

PAPER = "2502.01481"
STUDY = "protocol_bias"
BIASED, HARMLESS = "biased", "harmless"
"""Planted worlds (`worlds`)."""
RULE = "by half a doubling or more, share of replicates"
Unit = Literal["share of seeds", "ln l", "nats"]


def claims(study: "ProtocolBias") -> tuple[Claim, ...]:
    """All claims, in the order in which they are reported."""
    return (*_of_networks(study), *_of_tables(study), *_of_visible_lengths(study))


def _claim(
    study: "ProtocolBias",
    name: str,
    statement: str,
    place: str,
    scope: str,
    control: str,
    region: Region,
    margin: float,
    unit: Unit,
    reading: Literal["quoted", "inferred"] = "inferred",
) -> Claim:
    return Claim(
        id=f"{STUDY}.{name}",
        statement=statement,
        paper=PAPER,
        place=place,
        reading=reading,
        scope=scope,
        control=control,
        region=region,
        margin=margin,
        unit=unit,
        decided_at=study.decided_at,
    )


def _of_networks(study: "ProtocolBias") -> tuple[Claim, ...]:
    most, networks = study.bounds.share, study.networks
    small, large = networks.sizes[0], networks.sizes[-1]
    trained = f"transformers on {networks.designed.type_name}"
    at, largest = f"{trained}, D = {small:,}; {RULE}", f"{trained}, D = {large:,}; {RULE}"
    both = f"{trained}, D = {small:,} to {large:,}; {RULE}"
    memoryless = f"transformers on {networks.control.type_name}, which has no memory; {RULE}"
    ours = "ours, of the published training protocols"

    def moved(name: str, statement: str, scope: str = at) -> Claim:
        return _claim(
            study, name, statement, ours, scope, f"world {HARMLESS}", Region(lower=most), 0.0, "share of seeds"
        )

    return (
        _claim(
            study,
            "whole_batches",
            "Whole batches, int(T / l) windows a step, do not as a rule move the apparent l*, at any D.",
            ours,
            both,
            f"world {HARMLESS}, where they move it",
            Region(upper=most),
            0.0,
            "share of seeds",
        ),
        moved("tied_steps", "Steps tied to D move the apparent l* at the smallest D, up or down."),
        moved(
            "block_average",
            "Training on blocks and reading their average lengthens the apparent l* at the largest D.",
            largest,
        ),
        moved(
            "block_reading",
            "Of the same models, trained on blocks, the average over positions is least at longer contexts than the"
            " last position, at the largest D.",
            largest,
        ),
        moved(
            "block_training",
            "Training on blocks, as many targets in fewer windows, shortens the l* of the last position, largest D.",
            largest,
        ),
        moved("early_stop", "Early stopping moves the apparent l* at the smallest D, up or down."),
        moved("together", "Whole batches, tied steps and block averages at once move the apparent l*, smallest D."),
        _claim(
            study,
            "growth",
            "By the sound protocol l* grows from the smallest D to the largest.",
            "Section 3, Eq. 5 (a)",
            both,
            f"world {HARMLESS}: the same l* at every D",
            Region(lower=most),
            0.0,
            "share of seeds",
            "quoted",
        ),
        _claim(
            study,
            "hidden_growth",
            "By whole batches, tied steps and block averages together the growth of l* is smaller than by the sound"
            " protocol.",
            ours,
            both,
            f"world {HARMLESS}",
            Region(lower=most),
            0.0,
            "share of seeds",
        ),
        _claim(
            study,
            "control",
            "Where context tells nothing the sound protocol finds no optimum but the shortest context.",
            "Section 3, with R_Bayes constant",
            memoryless,
            f"world {HARMLESS}: a longer one is best",
            Region(upper=most),
            0.0,
            "share of seeds",
        ),
        _claim(
            study,
            "control_factors",
            "Where context tells nothing no factor makes an optimum appear.",
            ours,
            memoryless,
            f"world {HARMLESS}: early stopping does",
            Region(upper=most),
            0.0,
            "share of seeds",
        ),
    )


def _of_tables(study: "ProtocolBias") -> tuple[Claim, ...]:
    most, tables, power = study.bounds.share, study.tables, study.bounds.power
    scope = f"tables of announced distances, gamma = {tables.exponent:g}, exact excess, D to {tables.sizes[-1]:,}"
    ours, harmless = "ours, of the published training protocols", f"world {HARMLESS}"
    return (
        _claim(
            study,
            "tables_block_average",
            "Block averages lengthen l* by the factor (2 / (1 - gamma))^(1 / (1 + gamma)).",
            "ours, from Eq. 3 and an excess that is linear in l",
            scope,
            f"{harmless}: not at all",
            Region.around(block_factor(tables.exponent), power),
            power,
            "ln l",
        ),
        _claim(
            study,
            "tables_whole_batches",
            f"Whole batches of {tables.budget:,} tokens do not as a rule move l* on the public grid, at any D.",
            ours,
            scope,
            harmless,
            Region(upper=most),
            0.0,
            "share of seeds",
        ),
        _claim(
            study,
            "tables_order",
            "On a source of finite order the sound protocol finds l* at the order, at every D.",
            "Section 3, with R_Bayes constant from there on",
            f"{scope}, nothing beyond {tables.reach}",
            harmless,
            Region(upper=most),
            0.0,
            "share of seeds",
        ),
        _claim(
            study,
            "tables_beyond_order",
            "On a source of finite order block averages put l* beyond the order, at every D.",
            ours,
            f"{scope}, nothing beyond {tables.reach}",
            harmless,
            Region(lower=most),
            0.0,
            "share of seeds",
        ),
        _claim(
            study,
            "tables_control",
            "Where context tells nothing neither reading finds an optimum but l = 0.",
            ours,
            "the same tables, answers that no distance tells",
            harmless,
            Region(upper=most),
            0.0,
            "share of seeds",
        ),
    )


def _of_visible_lengths(study: "ProtocolBias") -> tuple[Claim, ...]:
    delta, visible = study.bounds.delta, study.visible
    short, full, long = visible.lengths[0], visible.train_length, visible.lengths[-1]
    scope = (
        f"transformers on {study.networks.designed.type_name}, trained to l = {full}, shown {short} to {long} tokens"
    )
    place, harmless, biased = "Section 3, inference with a fixed model", f"world {HARMLESS}", f"world {BIASED}"

    def rises(name: str, how: str, world: str) -> Claim:
        return _claim(
            study,
            name,
            f"With more visible context L_approx of a fixed model rises, {short} to {full} tokens; {how}.",
            place,
            scope,
            world,
            Region(lower=delta),
            delta,
            "nats",
            "quoted",
        )

    return (
        rises("visible_masked_rises", "visible lengths were masked in training", harmless),
        rises("visible_unmasked_rises", "it was trained at full length alone", biased),
        _claim(
            study,
            "visible_only_unmasked",
            "L_approx rises with visible context only where visible lengths were not masked in training.",
            "ours: what would make it a distribution shift",
            scope,
            biased,
            Region(lower=0.0),
            delta,
            "nats",
        ),
        _claim(
            study,
            "visible_shift",
            "A model trained at full length alone pays for windows of other lengths: at the shortest its excess lies"
            " above that of the masked one.",
            "ours, of evaluation at shortened windows",
            scope,
            harmless,
            Region(lower=delta),
            delta,
            "nats",
        ),
        _claim(
            study,
            "visible_beyond",
            "Beyond the trained length the excess rises, masked or not.",
            "ours, of evaluation at longer windows",
            scope,
            harmless,
            Region(lower=delta),
            delta,
            "nats",
        ),
        _claim(
            study,
            "visible_control",
            "Where context tells nothing and lengths were masked, L_approx does not rise with visible context.",
            place,
            f"the same on {study.networks.control.type_name}, which has no memory",
            harmless,
            Region(upper=delta),
            delta,
            "nats",
        ),
    )
