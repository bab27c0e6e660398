"""The command line, thin: each verb calls Servery's public face, which loads what it needs on first use."""
