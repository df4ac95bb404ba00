"""Label values by table, for nnplug."""
