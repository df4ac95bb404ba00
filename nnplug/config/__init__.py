"""From Hydra's composed configuration to checked, typed settings."""
