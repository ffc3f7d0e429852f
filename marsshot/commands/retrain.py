"""`main.py retrain`: build_csv.py and train_model.py as they are, giving way to the bot; told in one message."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from marsshot.config.settings import Settings
from marsshot.core.catalog import catalog_of
from marsshot.infra.child_processes import PROJECT, module_environment
from marsshot.monitoring.messenger import message_to_send, send
from marsshot.training.retraining import retrain, retraining_message

GIVES_WAY = 19  # the lowest priority that there is: prices and exits go first


def run_retrain(settings: Settings, config: Path) -> int:
    """Retrain, say what came of it here and by message. Returns 0 also where the old model stays: that is a result."""
    os.nice(GIVES_WAY)
    done = retrain(settings, config, run_in_process)
    message = retraining_message(done, catalog_of(settings.language))
    print(message.body, file=sys.stderr if done.exit_code else sys.stdout, flush=True)
    if settings.message_urls:
        send(settings.message_urls, message_to_send(message, settings), None)
    return done.exit_code


def run_in_process(script: str, config: Path) -> int:
    """Run a script with these settings in the foreground; return its exit code. Ctrl-C reaches it, too."""
    command = [sys.executable, str(PROJECT / script), "--config", str(config)]
    process = subprocess.Popen(command, env=module_environment())  # noqa: S603 - our own script
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.wait()
        raise
