"""How well the campaigns that were told match those that are true. Pure: values in, figures out."""
