"""Bundles: trained models as one zip file in nnU-Net's own format, with more beside."""
