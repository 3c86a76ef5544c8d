"""The HTTP service that hands out content, takes pushes and answers what the bucket's records say."""
