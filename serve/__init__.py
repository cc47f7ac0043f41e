"""Hardware, plan, command lines, supervised engines."""
