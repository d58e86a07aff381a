"""Training objectives. To add one: write its file, add its line here, and its entry in docs/papers.md."""

from langwright.objectives.classification import Classification
from langwright.objectives.next_token import NextToken

OBJECTIVES = {"next-token": NextToken, "classification": Classification}
