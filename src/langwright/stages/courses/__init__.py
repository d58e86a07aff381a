"""Every course of pre-training by the name of its objective. The first that takes a family is the family's own."""

from langwright.stages.courses import contrastive, masked, next_token, pairs, prefix, replaced, rewriting
from langwright.stages.courses.course import Course

COURSES: dict[str, Course] = {
    "next-token": next_token.COURSE,
    "prefix-lm": prefix.COURSE,
    "masked": masked.COURSE,
    "masked-pairs": pairs.WITH_MASKS,
    "sentence-pairs": pairs.ALONE,
    "replaced": replaced.COURSE,
    "contrastive": contrastive.COURSE,
    "span-corruption": rewriting.SPAN_CORRUPTION,
    "denoising": rewriting.DENOISING,
    "continuation": rewriting.CONTINUATION,
}
