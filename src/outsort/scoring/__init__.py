"""Score many texts: the compiled kernel, tables in memory, files, folders, clusters."""
