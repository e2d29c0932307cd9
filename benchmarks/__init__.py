"""The program beside its peers, on the same rows, in one run."""
