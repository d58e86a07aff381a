"""Every course of pre-training by the name of its objective. The first that takes a family is the family's own."""

from langwright.stages.courses import masked, next_token
from langwright.stages.courses.course import Course

COURSES: dict[str, Course] = {"next-token": next_token.COURSE, "masked": masked.COURSE}
