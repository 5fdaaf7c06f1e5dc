"""`python -m outsort` is `outsort`."""

from outsort.cli import main

main()
