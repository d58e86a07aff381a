"""Settings of reading, splitting and cleaning. Imports nothing heavy."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from langwright.data.schemas import SchemaName
from langwright.settings import Settings

Unit = Literal["file", "paragraph", "line"]


class SplitSettings(Settings):
    """Which rows are kept for validation and test. What is not named goes to train."""

    validation: Annotated[
        float, Field(ge=0, lt=1, description="Share of rows kept for validation, chosen by a hash of what they say")
    ] = 0.1
    test: Annotated[float, Field(ge=0, lt=1, description="Share of rows kept for a final test")] = 0.0
    seed: Annotated[int, Field(ge=0, description="Another seed chooses other rows")] = 0
    column: Annotated[
        str | None, Field(description="A column that names the split of each row (train, validation or dev, test)")
    ] = None
    files: Annotated[
        dict[str, str],
        Field(description="Files that are a split of their own: split name = glob pattern, as in validation = '*dev*'"),
    ] = Field(default_factory=dict)
    every_label: Annotated[
        bool, Field(description="With labels, see that each label stands in every split, if it has enough rows")
    ] = True


class ReadSettings(Settings):
    """How raw files become rows."""

    schema_name: Annotated[SchemaName, Field(description="The kind of rows to make")] = "text"
    task: Annotated[
        str | None,
        Field(
            description="Rows of schema chat are made from inputs of this task, such as poem, with `written` beside them: "
            "what a model should write, a text for each time that it is asked; `langwright tasks TASK` lists the fields"
        ),
    ] = None
    unit: Annotated[Unit, Field(description="What one row of running text is")] = "file"
    document_characters: Annotated[
        int, Field(ge=100, description="Running text longer than this is cut into rows, at a paragraph's end if it can")
    ] = 20_000
    encoding: Annotated[
        str, Field(description="Encoding of text files, such as utf-8 or gb18030; auto finds it for each file")
    ] = "auto"
    max_broken: Annotated[
        float,
        Field(ge=0, le=1, description="Share of a file's characters that may be broken; they are replaced and counted"),
    ] = 0.001
    skip_bad: Annotated[
        bool, Field(description="Leave out and count rows that cannot be read, instead of stopping")
    ] = False
    max_row_megabytes: Annotated[int, Field(ge=1, le=1024, description="A longer row of a table cannot be read")] = 16
    fields: Annotated[
        dict[str, str], Field(description="Columns with other names: field = column, as in text = 'review'")
    ] = Field(default_factory=dict)
    columns: Annotated[
        tuple[str, ...], Field(description="Names of the columns of a CSV or TSV file without a header line")
    ] = ()
    delimiter: Annotated[
        str, Field(description="What stands between columns; auto is a tab for TSV, a comma for CSV")
    ] = "auto"
    parallel: Annotated[
        dict[str, str],
        Field(
            description="For files whose lines belong together: what a file's name holds, and what stands there in the name "
            "of the file with the lines to be written, as in '.en' = '.de'"
        ),
    ] = Field(default_factory=dict)
    separator: Annotated[
        str, Field(min_length=1, description="What stands between several labels of a row in a table, such as | or ,")
    ] = "|"
    labels: Annotated[dict[str, str], Field(description="Names for labels: as in the file = as wanted")] = Field(
        default_factory=dict
    )
    include: Annotated[
        tuple[str, ...], Field(description="Glob patterns; of a folder, read only files that match one")
    ] = ()
    exclude: Annotated[
        tuple[str, ...], Field(description="Glob patterns; of a folder, leave out what matches one, such as **/test/**")
    ] = ()
    language: Annotated[
        str, Field(description="Language of all rows, such as zh or en; auto guesses each row's from its characters")
    ] = "auto"
    target_language: Annotated[
        str, Field(description="Language of all translations, such as zh or en; auto guesses each from its characters")
    ] = "auto"
    licence: Annotated[str, Field(description="Licence of the texts, written into every row that has none")] = ""
    split: SplitSettings = SplitSettings()


class CleanSettings(Settings):
    """Which rows are dropped. Rules about shares apply to running text only."""

    duplicates: Annotated[
        bool, Field(description="Drop rows that say the same as an earlier one, spacing and case aside")
    ] = True
    min_characters: Annotated[
        int, Field(ge=0, description="Drop running text shorter than this; spaces are not counted")
    ] = 20
    max_characters: Annotated[int, Field(ge=1, description="Drop rows longer than this")] = 1_000_000
    min_letters: Annotated[
        float, Field(ge=0, le=1, description="Drop text with a smaller share of letters (of any script) and digits")
    ] = 0.4
    max_symbols: Annotated[
        float,
        Field(ge=0, le=1, description="Drop text with a larger share of signs such as # < | = that are no punctuation"),
    ] = 0.3
    max_digits: Annotated[float, Field(ge=0, le=1, description="Drop text with a larger share of digits")] = 0.5
    max_repeated_lines: Annotated[
        float,
        Field(ge=0, le=1, description="Drop text where a larger share stands in lines that are there twice or more"),
    ] = 0.65
    max_repeated_characters: Annotated[
        float, Field(ge=0, le=1, description="Drop text where a larger share is one character said eight times or more")
    ] = 0.2
    max_replaced: Annotated[
        float, Field(ge=0, le=1, description="Drop rows with a larger share of replacement characters")
    ] = 0.01
    min_chinese: Annotated[
        float, Field(ge=0, le=1, description="Drop text where a smaller share of the letters is Chinese; 0 keeps all")
    ] = 0.0
    languages: Annotated[tuple[str, ...], Field(description="Keep rows of these languages only; empty keeps all")] = ()
    banned: Annotated[
        tuple[str, ...], Field(description="Drop rows that contain one of these, whatever their case")
    ] = ()
