"""An attack on the whole program that goes on for as long as it is given: ``python tests/attack --seconds 120``.

Each part tries one kind of harm again and again, each time from a seed of its own: damaged tables, damaged model
files, signals, full disks, several writers, threads and forks, hostile clients. A try is survived if the program
did the whole work or refused it in one message, and left files whole.
"""
