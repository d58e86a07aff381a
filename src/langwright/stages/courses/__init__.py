"""Every course of pre-training by the name of its objective. The first that takes a family is the family's own."""

from langwright.stages.courses import masked, next_token, prefix, rewriting
from langwright.stages.courses.course import Course

COURSES: dict[str, Course] = {
    "next-token": next_token.COURSE,
    "prefix-lm": prefix.COURSE,
    "masked": masked.COURSE,
    "span-corruption": rewriting.SPAN_CORRUPTION,
    "denoising": rewriting.DENOISING,
    "continuation": rewriting.CONTINUATION,
}
