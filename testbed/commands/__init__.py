"""What the commands do, one file a group; `testbed.cli` has their names and options."""
