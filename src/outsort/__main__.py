"""`python -m outsort` is `outsort`."""

from outsort.cli.main import main

main()
