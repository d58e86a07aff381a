"""Every objective by name."""

from langwright.objectives.classification import Classification
from langwright.objectives.masked import Masked
from langwright.objectives.multitask import MultiTask
from langwright.objectives.next_token import NextToken
from langwright.objectives.prefix import PrefixLM
from langwright.objectives.seq2seq import Seq2Seq

OBJECTIVES = {
    "next-token": NextToken,
    "prefix-lm": PrefixLM,
    "masked": Masked,
    "seq2seq": Seq2Seq,
    "classification": Classification,
    "multi-task": MultiTask,
}
