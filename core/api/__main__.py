"""`python -m headrace`: the same as the `headrace` command."""

from headrace.streams.cli.main import main

main()
