"""Dropout that really changes a model: set in its config before its layers are made.

A model's layers take their rates when they are built, so a config changed afterwards changes nothing; and some
families leave a layer out where its rate is 0, so that there is nothing to change later.

Source    Srivastava et al. 2014, JMLR 15:1929
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from langwright.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


def rates(config: PreTrainedConfig) -> Iterator[str]:
    """The config's own dropout rates by name: hidden_dropout_prob, attention_dropout, resid_pdrop, classifier_dropout, …

    A rate of None, as of many classifiers, means that another one stands in for it.
    """
    for name, value in vars(config).items():
        rate = value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))
        if rate and ("dropout" in name or name.endswith("pdrop")) and not name.startswith("_"):
            yield name


def with_dropout(config: PreTrainedConfig, share: float) -> PreTrainedConfig:
    """The config with every dropout rate, those of its parts included, at `share`; the config itself is changed.

    raises  UserError when the architecture has no dropout
    """
    parts = [config, *(getattr(config, name) for name in getattr(config, "sub_configs", {}))]
    found = [(part, name) for part in parts if part is not None for name in rates(part)]
    if not found:
        raise UserError(
            "models of kind {kind} have no dropout that could be set to {share}",
            fix="leave dropout out",
            kind=config.model_type,
            share=share,
        )
    for part, name in found:
        setattr(part, name, share)
    config.classifier_dropout = share  # where there is no such field, heads of decoders take 0.1 of their own accord
    return config
