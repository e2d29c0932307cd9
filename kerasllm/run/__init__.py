"""The run: a folder that is the only truth about a training; every surface is a view of it.

run.json        what was asked: recipe, parameters, seed, surface       written once, at once
sessions.jsonl  where it ran: a line per start or resume                appended
status.json     what it does now                                        replaced, by a thread of its own
history.jsonl   the curve: a line per epoch, some per step              appended in whole lines
checkpoint/     everything needed to go on, in one file                 replaced
card.json, model.keras, encoders, scores.json, figures/, notebook.ipynb results, replaced
stop            its appearance asks the trainer to stop                 by anyone
"""

from kerasllm.run.folder import Run, differing, open_run, runs, runs_folder
from kerasllm.run.new import create, reserve
from kerasllm.run.watch import watch

__all__ = ["Run", "create", "differing", "open_run", "reserve", "runs", "runs_folder", "watch"]
