"""The panes: each shows the night as it is told, and remembers nothing else."""
