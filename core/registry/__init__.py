"""Model manifests, their hashes and the folder that holds them."""
