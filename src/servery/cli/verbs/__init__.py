"""The verbs, a file each; a file's `verb` is a command, its `group` a command with sub-commands."""
