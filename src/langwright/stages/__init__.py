"""Stages: artifacts in, one artifact out. To add one: write its file, add its line here.

A stage is named like its command with a dash for the blank (`data-read` is `langwright data read`), and its
file like its name (`data_read.py`). Importing this package imports no torch: each stage imports what it needs
when it runs.
"""

from __future__ import annotations

from langwright.stages import (
    adapt,
    benchmark,
    compare,
    continual,
    control_trial,
    data_clean,
    data_damage,
    data_read,
    evaluate,
    finetune,
    mine,
    multitask,
    pretrain,
    report,
    sampling,
    search,
    tokenizer_train,
    transfer,
    watermark_power,
)
from langwright.stages.declaration import Stage

STAGES: dict[str, Stage] = {
    module.STAGE.name: module.STAGE
    for module in (
        data_read,
        data_clean,
        data_damage,
        tokenizer_train,
        pretrain,
        adapt,
        finetune,
        multitask,
        continual,
        search,
        transfer,
        evaluate,
        benchmark,
        compare,
        mine,
        control_trial,
        sampling,
        watermark_power,
        report,
    )
}
