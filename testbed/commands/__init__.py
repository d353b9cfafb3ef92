"""What the commands do, one file a group; `app` has their names, arguments and help."""
