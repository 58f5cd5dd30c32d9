"""`python -m pipeline` is `sightline`."""

from pipeline.shell.cli import main

main()
