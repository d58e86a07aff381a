"""Every objective by name."""

from langwright.objectives.choice import Choice
from langwright.objectives.classification import Classification, SeveralLabels
from langwright.objectives.contrastive import Contrastive
from langwright.objectives.extraction import Spans
from langwright.objectives.masked import Masked
from langwright.objectives.multitask import MultiTask
from langwright.objectives.next_token import NextToken
from langwright.objectives.prefix import PrefixLM
from langwright.objectives.regression import Ranking, Regression
from langwright.objectives.replaced import ReplacedTokens
from langwright.objectives.sentence_pairs import MaskedPairs, SentencePairs
from langwright.objectives.seq2seq import Seq2Seq
from langwright.objectives.tagging import ChainTagging, LayeredTagging, Tagging

OBJECTIVES = {
    "next-token": NextToken,
    "prefix-lm": PrefixLM,
    "masked": Masked,
    "masked-pairs": MaskedPairs,
    "sentence-pairs": SentencePairs,
    "replaced": ReplacedTokens,
    "contrastive": Contrastive,
    "seq2seq": Seq2Seq,
    "classification": Classification,
    "several-labels": SeveralLabels,
    "regression": Regression,
    "ranking": Ranking,
    "tagging": Tagging,
    "tag-chain": ChainTagging,
    "tag-layers": LayeredTagging,
    "spans": Spans,
    "choice": Choice,
    "multi-task": MultiTask,
}
