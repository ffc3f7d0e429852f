"""Domain values, errors and the catalogue of texts. Does no I/O but reading that catalogue; knows no other folder."""
