"""How good generated images are: protocols, feature extractors, FID, KID, Inception Score."""
