"""The jobs of a configuration, before Snakemake draws them."""
