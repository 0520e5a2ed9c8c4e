"""How good a network is, by clip and as deployed, on sounds that it was not trained on."""
