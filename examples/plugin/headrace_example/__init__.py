"""Two steps that do not come with Headrace: how emphatic a text is, and a router by the length of texts."""
