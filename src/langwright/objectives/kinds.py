"""Every objective by name."""

from langwright.objectives.classification import Classification
from langwright.objectives.masked import Masked
from langwright.objectives.next_token import NextToken

OBJECTIVES = {"next-token": NextToken, "classification": Classification, "masked": Masked}
