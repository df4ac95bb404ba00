"""Label values of nnplug: tables, names, connected parts."""
