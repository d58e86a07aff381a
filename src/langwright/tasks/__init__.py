"""What models do for a person, and the ways of doing it. To add one: write its file, add its line here.

Importing this package imports no torch; `tasks.loading` is the front door.
"""

from __future__ import annotations

from langwright.tasks.chat import CHAT
from langwright.tasks.classification import CLASSIFICATION
from langwright.tasks.declaration import Task
from langwright.tasks.generation import GENERATION
from langwright.tasks.head import HEAD
from langwright.tasks.likelihood import LIKELIHOOD
from langwright.tasks.solvers import Solver

TASKS: dict[str, Task] = {task.name: task for task in (CHAT, CLASSIFICATION)}
SOLVERS: dict[str, Solver] = {solver.name: solver for solver in (GENERATION, HEAD, LIKELIHOOD)}
