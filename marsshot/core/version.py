"""Which MarsShot this is; `CHANGELOG.md` says what is in it."""

VERSION = "0.2.0-dev"
