"""Who the voice is: one YAML file per agent, and the catalogue that reads them."""
